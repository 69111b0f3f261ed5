// The page: puts the parts together.

import { Call } from "/call.js";
import { Channel } from "/channel.js";
import { Journey } from "/journey.js";
import { Room } from "/room.js";
import * as media from "/media.js";

const $ = (id) => document.getElementById(id);
const ENDINGS = {
  "hang-up": "The call is over.", busy: "The other side is in another call.", declined: "The other side does not want to talk.",
  timeout: "Nobody answered.", left: "The other side has left.", "unknown-call": "The other side knows nothing of this call any more.",
};

let room;
let me;
let iceServers = [];
let people = new Map();
let calls = new Map();
let current = null;
let channel = null;
let stream = null;
const shown = new WeakMap();
const journey = new Journey(() => ["you", nameOf(current?.peer) || "peer"]);

function nameOf(id) {
  return people.get(id) || (id ? `guest ${id.slice(0, 3)}` : "");
}

function status(text) {
  $("status").textContent = text;
}

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

// --- entering -----------------------------------------------------------------------------------------------------

const inAddress = decodeURIComponent(location.pathname.slice(1));
const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
const stored = JSON.parse(sessionStorage.getItem("floe") ?? "null");

$("room").value = inAddress || Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => "abcdefghijkmnpqrstuvwxyz23456789"[byte % 32]).join("");
$("name").value = stored?.name ?? "";
$("token").value = token;
$("token-label").hidden = !token;
$("entrance").onsubmit = (event) => {
  event.preventDefault();
  enter({ room: $("room").value, name: $("name").value.trim(), token: $("token").value, withMedia: $("with-media").checked });
};
// A page that was loaded again goes on as who it was.
if (stored?.resume && stored.room === inAddress) enter(stored);
else $(inAddress ? "name" : "room").focus();

async function enter(wanted) {
  for (const id of ["call", "talk", "panel"]) $(id).hidden = false;
  $("entrance").hidden = true;
  $("where").textContent = `Room ${wanted.room}`;
  document.title = `${wanted.room} – floe`;
  const hash = wanted.token ? `#token=${encodeURIComponent(wanted.token)}` : "";
  history.replaceState(null, "", `/${wanted.room}${hash}`);
  status("Looking for camera and microphone …");
  if (wanted.withMedia) await openMedia();
  status("Entering …");
  room = new Room(wanted);
  room.addEventListener("state", ({ detail }) => {
    journey.state("server-state", detail, "server");
    if (detail === "lost") status("The server was lost; trying again …");
  });
  room.addEventListener("welcome", ({ detail }) => welcomed(detail, wanted));
  room.addEventListener("message", ({ detail }) => heard(detail));
  room.addEventListener("trouble", ({ detail }) => trouble(detail));
}

function trouble({ code, text }) {
  journey.message("in", { type: "error", code, text });
  if (!room.over) return;
  if (code !== "replaced") sessionStorage.removeItem("floe");
  current?.forget("left");
  status("Not in the room.");
  notice(`${text[0].toUpperCase()}${text.slice(1)}.`.replace("..", "."));
  if (code === "replaced") return;
  $("entrance").hidden = false;
  $("token-label").hidden = code !== "unauthorized";
  for (const id of ["talk", "panel"]) $(id).hidden = true;
}

function welcomed(welcome, wanted) {
  journey.message("in", { type: "welcome" });
  const isBack = me === welcome.id;
  if (!isBack) [...calls.values()].forEach((call) => call.forget("left"));
  if (!isBack) calls = new Map();
  me = welcome.id;
  iceServers = welcome.iceServers;
  sessionStorage.setItem("floe", JSON.stringify({ ...wanted, resume: welcome.resume }));
  people = new Map(welcome.participants.map(({ id, name }) => [id, name]));
  for (const peer of calls.keys()) if (!people.has(peer)) gone(peer);
  calls.forEach((call) => call.repeatAll());
  list();
  const [first] = people.keys();
  // Who enters calls who is there.
  if (!isBack && first) dial(first);
  else if (!current || current.ended) waiting();
}

function waiting() {
  const others = people.size;
  status(others ? "Ready." : "Waiting for somebody.");
  $("absent").textContent = others ? "No call." : "Nobody else is here yet. Pass on the address of this page.";
}

// --- the people in the room ---------------------------------------------------------------------------------------

function heard(message) {
  journey.message("in", message);
  switch (message.type) {
    case "joined":
      people.set(message.id, message.name);
      list();
      if (!current || current.ended) waiting();
      return;
    case "left":
      gone(message.id);
      people.delete(message.id);
      list();
      if (!current || current.ended) waiting();
      return;
  }
  if (!message.from) return;
  const busy = current && !current.ended && current.peer !== message.from;
  if (busy && message.type === "start") {
    send({ type: "end", reason: "busy", to: message.from, call: Date.now(), seq: 1, re: message.call });
  } else if (!busy) {
    callWith(message.from).hear(message);
  }
}

function gone(peer) {
  calls.get(peer)?.forget("left");
  calls.delete(peer);
}

function list() {
  const others = [...people.keys()];
  $("people").hidden = others.length < 2;
  $("people").replaceChildren(...others.map((id) => {
    const button = document.createElement("button");
    button.textContent = `Call ${nameOf(id)}`;
    button.disabled = current ? !current.ended : false;
    button.onclick = () => dial(id);
    return button;
  }));
  buttons();
}

function send(message) {
  if (room.send(message) && message.type !== "ack") journey.message("out", message);
}

// --- the call -----------------------------------------------------------------------------------------------------

function callWith(peer) {
  if (calls.has(peer)) return calls.get(peer);
  const call = new Call({
    me, peer, send, prepare: (pc) => prepare(call, pc),
    configuration: () => ({ iceServers, bundlePolicy: "max-bundle", iceTransportPolicy: $("relay-only").checked ? "relay" : "all" }),
  });
  call.addEventListener("progress", ({ detail }) => detail.type === "candidate" && journey.remoteCandidate(detail.candidate));
  call.addEventListener("connection", ({ detail: pc }) => watch(call, pc));
  call.addEventListener("ended", ({ detail }) => ended(call, detail));
  call.addEventListener("fault", ({ detail }) => journey.log($("states"), `fault: ${detail.message}`));
  calls.set(peer, call);
  return call;
}

function dial(peer) {
  if (peer && (!current || current.ended)) callWith(peer).begin();
}

function prepare(call, pc) {
  channel = new Channel(pc);
  listen(channel);
  stream?.getTracks().forEach((track) => pc.addTrack(track, stream));
}

function watch(call, pc) {
  current = call;
  status(`Calling ${nameOf(call.peer)} …`);
  $("absent").textContent = "Connecting …";
  const theirs = new MediaStream();
  $("theirs").srcObject = theirs;
  pc.ontrack = ({ track }) => {
    theirs.addTrack(track);
    if (track.kind === "video") track.onunmute = () => { $("stage").dataset.live = "yes"; };
  };
  pc.addEventListener("connectionstatechange", () => {
    if (call !== current || pc !== call.pc) return;
    const said = { connected: `Connected with ${nameOf(call.peer)}.`, disconnected: "The path was lost; looking for another …", failed: "No path was found." };
    if (said[pc.connectionState]) status(said[pc.connectionState]);
    if (pc.connectionState === "connected") $("absent").textContent = "Connected, without a picture.";
    if (pc.connectionState === "failed" && call.polite) call.restart();
  });
  journey.watch(pc);
  list();
}

function ended(call, reason) {
  if (call !== current) return;
  $("stage").dataset.live = "no";
  $("theirs").srcObject = null;
  status(ENDINGS[reason] ?? `The call is over: ${reason}.`);
  $("absent").textContent = "No call.";
  journey.look();
  list();
}

function buttons() {
  const live = Boolean(current && !current.ended);
  $("dial").disabled = live || !people.size;
  $("hang-up").disabled = $("restart").disabled = !live;
}

$("dial").onclick = () => dial(people.has(current?.peer) ? current.peer : people.keys().next().value);
$("hang-up").onclick = () => current?.hangUp();
$("restart").onclick = () => current?.restart();
$("relay-only").onchange = () => current?.restart();
$("leave").onclick = () => {
  calls.forEach((call) => call.hangUp());
  room.leave();
  sessionStorage.removeItem("floe");
  location.assign("/");
};
$("copy").onclick = async () => {
  try {
    await navigator.clipboard.writeText(location.href);
    status("The address was copied.");
  } catch {
    prompt("The address of this room:", location.href);
  }
};

// --- camera and microphone ----------------------------------------------------------------------------------------

function settings() {
  const [resolution, aspect, frameRate, facing] = ["resolution", "aspect", "frame-rate", "facing"].map((id) => $(id).value);
  return { resolution, aspect, frameRate, facing };
}

async function openMedia() {
  const before = stream;
  const opened = await media.open(settings());
  notice(opened.notice ?? "");
  stream = opened.stream;
  before?.getTracks().forEach((track) => track.stop());
  for (const [id, kind] of [["microphone", "audio"], ["camera", "video"]]) {
    const [track] = stream?.getTracks().filter((one) => one.kind === kind) ?? [];
    $(id).disabled = !track;
    if (track) track.enabled = $(id).getAttribute("aria-pressed") === "true";
    if (kind === "video") $("actual").textContent = track ? media.describe(track) : "";
  }
  $("mine").srcObject = stream;
  $("mine").classList.toggle("on", Boolean(stream?.getVideoTracks().length));
  $("mine").classList.toggle("away", settings().facing === "environment");
  if (current && !current.ended) await replaceTracks(current.pc);
}

async function replaceTracks(pc) {
  for (const track of stream?.getTracks() ?? []) {
    const sender = pc.getSenders().find((one) => one.track?.kind === track.kind);
    if (sender) await sender.replaceTrack(track);
    else pc.addTrack(track, stream);
  }
}

for (const [id, kind] of [["microphone", "audio"], ["camera", "video"]]) {
  $(id).onclick = () => {
    const on = $(id).getAttribute("aria-pressed") !== "true";
    $(id).setAttribute("aria-pressed", on);
    stream?.getTracks().filter((track) => track.kind === kind).forEach((track) => { track.enabled = on; });
  };
}
for (const id of ["resolution", "aspect", "frame-rate", "facing"]) $(id).onchange = openMedia;

// --- chat and files -----------------------------------------------------------------------------------------------

function listen(one) {
  const mine = () => one === channel;
  const open = (isOpen) => {
    $("channel-state").textContent = isOpen ? "open, peer to peer" : "not open";
    for (const element of [...$("say").querySelectorAll("input, button")]) element.disabled = !isOpen;
    $("file-label").classList.toggle("off", !isOpen);
  };
  open(false);
  one.addEventListener("open", () => mine() && open(true));
  one.addEventListener("close", () => mine() && open(false));
  one.addEventListener("chat", ({ detail }) => line(detail, false));
  one.addEventListener("file", ({ detail }) => showFile(detail));
}

function line(content, own) {
  const item = document.createElement("li");
  item.classList.toggle("own", own);
  item.append(content);
  $("lines").append(item);
  item.scrollIntoView({ block: "nearest" });
  return item;
}

function showFile(file) {
  if (!shown.has(file)) shown.set(file, line("", file.own));
  const item = shown.get(file);
  const words = { moving: `${Math.floor(100 * file.done / (file.size || 1))} %`, sent: "sent, waiting", there: file.own ? "arrived" : "", failed: `failed: ${file.reason}` };
  if (file.state === "moving" && item.querySelector("progress")) {
    item.querySelector("progress").value = file.done;
    item.querySelector("span").textContent = ` ${words.moving}`;
    return;
  }
  const name = document.createElement(file.blob ? "a" : "b"), state = document.createElement("span");
  name.textContent = file.name;
  state.textContent = ` ${words[file.state]}`;
  if (file.blob) Object.assign(name, { href: URL.createObjectURL(file.blob), download: file.name });
  item.replaceChildren(name, state);
  item.dataset.state = file.state;
  if (file.state !== "moving") return;
  const bar = document.createElement("progress");
  Object.assign(bar, { max: file.size, value: file.done });
  item.append(bar);
}

$("say").onsubmit = (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text || !channel?.isOpen) return;
  channel.chat(text);
  line(text, true);
  $("text").value = "";
};
$("file").onchange = () => {
  for (const file of $("file").files) channel.sendFile(file);
  $("file").value = "";
};

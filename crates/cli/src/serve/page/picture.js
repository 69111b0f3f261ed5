// The path of a call as a picture: both ends, what is between them, and which way the data go.

const SVG = "http://www.w3.org/2000/svg";
const ENDS = [110, 610];
const RELAYS = [270, 450];
const LOW = 170;
const HIGH = 60;

function add(parent, name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  parent.append(element);
}

export const place = (candidate) => {
  if (!candidate) return "";
  const { address, port } = candidate;
  return `${address?.includes(":") && !address.startsWith("[") ? `[${address}]` : address ?? "hidden"}:${port}`;
};

// What is drawn, in words.
export function caption(pair, state) {
  if (!pair) return { checking: "Looking for a path …", failed: "No path was found." }[state] ?? "No path yet.";
  const types = [pair.local, pair.remote].map((candidate) => candidate?.candidateType ?? "unknown");
  const kind = types.includes("relay") ? "Over a relay" : "Direct";
  const rtt = pair.rtt === undefined ? "" : `, ${(pair.rtt * 1000).toFixed(1)} ms there and back`;
  return `${kind}: ${types[0]} ${place(pair.local)} ↔ ${types[1]} ${place(pair.remote)} over ${pair.local?.protocol ?? "udp"}${rtt}`;
}

// pair: the selected one, {local, remote, rtt}; state: of ICE; kinds: the types of candidates of each side that there are.
export function draw(svg, { pair, state, names, kinds }) {
  svg.replaceChildren();
  const relayed = [pair?.local, pair?.remote].map((candidate) => candidate?.candidateType === "relay");
  const throughRelay = relayed.some(Boolean);
  const mood = { failed: "failed", checking: "trying" }[state] ?? "";
  const way = (points, on) => add(svg, "polyline", { points, class: `way ${on ? "on" : pair ? "" : mood}` });
  way(`${ENDS[0]},${LOW} ${ENDS[1]},${LOW}`, pair && !throughRelay);
  const stops = RELAYS.filter((_, side) => throughRelay ? relayed[side] : kinds[side].has("relay")).map((x) => `${x},${HIGH}`);
  if (stops.length) way(`${ENDS[0]},${LOW} ${stops.join(" ")} ${ENDS[1]},${LOW}`, throughRelay);
  ENDS.forEach((x, side) => end(svg, x, side, { pair, names, kinds }));
  RELAYS.forEach((x, side) => {
    if (kinds[side].has("relay") || relayed[side]) relay(svg, x, relayed[side], side ? pair?.remote : pair?.local);
  });
  if (pair?.rtt !== undefined) {
    const y = throughRelay ? HIGH - (stops.length > 1 ? 12 : 34) : LOW - 16;
    add(svg, "text", { x: 360, y, class: "on text" }, `${(pair.rtt * 1000).toFixed(1)} ms`);
  }
}

function end(svg, x, side, { pair, names, kinds }) {
  add(svg, "circle", { cx: x, cy: LOW, r: 34, class: `node ${pair ? "on" : ""}` });
  add(svg, "text", { x, y: LOW + 5 }, names[side].slice(0, 9));
  const candidate = side ? pair?.remote : pair?.local;
  if (candidate && candidate.candidateType !== "relay") {
    add(svg, "text", { x, y: LOW + 52 }, place(candidate));
    const nat = candidate.candidateType === "host" ? "its own address" : "as seen behind a NAT";
    add(svg, "text", { x, y: LOW + 68, class: "small" }, nat);
  } else {
    add(svg, "text", { x, y: LOW + 52, class: "small" }, [...kinds[side]].join(", "));
  }
}

function relay(svg, x, on, candidate) {
  add(svg, "rect", { x: x - 44, y: HIGH - 20, width: 88, height: 40, rx: 8, class: `node ${on ? "on" : ""}` });
  add(svg, "text", { x, y: HIGH + 5 }, "relay");
  if (on) add(svg, "text", { x: x + (x < 360 ? -52 : 52), y: HIGH - 28, class: "small" }, place(candidate));
}

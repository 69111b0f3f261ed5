// What chromium_agent.py runs in a page: an RTCPeerConnection whose peer has no descriptions, only credentials and candidates.
"use strict";

let connection;
let settings;
// The credentials last told of, and those of the peer.
let own = null;
let peer = null;
// Candidates that came before the peer's description.
let early = [];
let selected = "";
let version = 0;

async function start(wanted) {
  settings = wanted;
  // Whoever may use a camera may know the addresses of this machine.
  await navigator.mediaDevices.getUserMedia({ audio: true });
  connection = new RTCPeerConnection(settings.configuration);
  connection.onicecandidate = ({ candidate }) => tellCandidate(candidate);
  connection.oniceconnectionstatechange = tellState;
  if (settings.offers) {
    connection.createDataChannel("data");
    await offer();
  }
}

async function obey(command) {
  switch (command.type) {
    case "remote-credentials":
      peer = command;
      await describePeer();
      break;
    case "remote-candidate":
      await add({ candidate: command.candidate, sdpMid: "0", usernameFragment: peer?.ufrag });
      break;
    case "remote-end-of-candidates":
      await add({ candidate: "", sdpMid: "0", usernameFragment: command.ufrag ?? peer?.ufrag });
      break;
    case "restart":
      await offer({ iceRestart: true });
      break;
    default:
      throw new Error(`unknown command ${command.type}`);
  }
}

function end() {
  connection.oniceconnectionstatechange = null;
  connection.close();
}

async function add(candidate) {
  if (connection.remoteDescription) {
    await connection.addIceCandidate(candidate);
  } else {
    early.push(candidate);
  }
}

async function offer(options) {
  await connection.setLocalDescription(await connection.createOffer(options));
  tellCredentials();
}

// The peer's answer, or an offer, which is answered. A session of its own for each of its descriptions.
async function describePeer() {
  const answers = connection.signalingState === "have-local-offer";
  await connection.setRemoteDescription({ type: answers ? "answer" : "offer", sdp: description() });
  if (!answers) {
    await connection.setLocalDescription(await connection.createAnswer());
    tellCredentials();
  }
  for (const candidate of early.splice(0)) {
    await connection.addIceCandidate(candidate);
  }
}

// A data channel behind a DTLS client that will never come.
function description() {
  version += 1;
  return [
    "v=0",
    `o=- 1 ${version} IN IP4 127.0.0.1`,
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    "a=mid:0",
    `a=ice-ufrag:${peer.ufrag}`,
    `a=ice-pwd:${peer.pwd}`,
    "a=ice-options:trickle",
    `a=fingerprint:sha-256 ${Array(32).fill("AB").join(":")}`,
    "a=setup:active",
    "a=sctp-port:5000",
    "a=max-message-size:262144",
    "",
  ].join("\r\n");
}

function tellCredentials() {
  const { sdp } = connection.localDescription;
  const [, ufrag] = /^a=ice-ufrag:(.*?)\r$/m.exec(sdp);
  const [, pwd] = /^a=ice-pwd:(.*?)\r$/m.exec(sdp);
  if (ufrag === own) return;
  const isFirst = own === null;
  own = ufrag;
  selected = "";
  say({ type: "credentials", ufrag, pwd });
  if (isFirst) say({ type: "state", state: "gathering" });
}

function tellCandidate(candidate) {
  if (!candidate) {
    say({ type: "end-of-candidates", ufrag: own });
    return;
  }
  const { candidate: line } = candidate;
  const [, , transport] = line.split(" ");
  if (transport === "udp") say({ type: "candidate", candidate: line });
}

async function tellState() {
  const state = connection.iceConnectionState;
  if (state === "new" || state === "closed") return;
  say({ type: "state", state });
  if (state === "connected" || state === "completed") await watchPair();
}

// There is no event for the selected pair of a data channel without DTLS.
async function watchPair() {
  while (["connected", "completed"].includes(connection.iceConnectionState)) {
    const pair = await selectedPair();
    const ends = pair && `${pair.local} ${pair.remote}`;
    if (pair && ends !== selected) {
      selected = ends;
      say({ type: "selected-pair", ...pair });
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function selectedPair() {
  const stats = await connection.getStats();
  const all = [...stats.values()];
  const transport = all.find((entry) => entry.type === "transport" && entry.selectedCandidatePairId);
  const pair = transport && stats.get(transport.selectedCandidatePairId);
  if (!pair?.nominated) return null;
  const [local, remote] = [pair.localCandidateId, pair.remoteCandidateId].map((id) => stats.get(id));
  // The address of a candidate that was learned is shown when it has been signalled too.
  if (!local?.address || !remote?.address) return null;
  if (local.usernameFragment !== own || remote.usernameFragment !== peer.ufrag) return null;
  return { local: line(local), remote: line(remote) };
}

function line(candidate) {
  const { foundation, protocol, priority, address, port, candidateType: kind } = candidate;
  const related = kind === "host" ? "" : ` raddr ${candidate.relatedAddress ?? "0.0.0.0"} rport ${candidate.relatedPort ?? 9}`;
  return `candidate:${foundation} 1 ${protocol} ${priority} ${address} ${port} typ ${kind}${related}`;
}

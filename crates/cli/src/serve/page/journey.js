// What happens to a call, as it happens: messages, states, candidates, pairs.

import { caption, draw, place } from "/picture.js";

const INTERVAL = 500;
const LINES = 500;
const GOOD = ["connected", "completed", "complete", "stable", "WebSocket", "HTTP"];
const BAD = ["failed", "disconnected", "closed", "lost", "refused"];
const STATES = {
  "signaling-state": ["signalingState", "signalingstatechange", "signalling"],
  "gathering-state": ["iceGatheringState", "icegatheringstatechange", "gathering"],
  "ice-state": ["iceConnectionState", "iceconnectionstatechange", "ICE"],
  "connection-state": ["connectionState", "connectionstatechange", "connection"],
};

const $ = (id) => document.getElementById(id);

function row(body, cells, kind = "") {
  const line = body.insertRow();
  line.className = kind;
  for (const cell of cells) line.insertCell().textContent = cell ?? "–";
}

const size = (bytes = 0) => bytes < 1e4 ? `${bytes} B` : bytes < 1e7 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

export class Journey {
  constructor(names) {
    this.names = names;
    this.begun = performance.now();
    this.messages = 0;
    this.show(null, "new");
  }

  time() {
    return `${((performance.now() - this.begun) / 1000).toFixed(3)} s`;
  }

  log(list, text, kind = "") {
    const line = document.createElement("li"), time = document.createElement("time");
    time.textContent = this.time();
    const what = document.createElement("span");
    what.className = kind;
    what.textContent = text;
    line.append(time, what);
    list.append(line);
    if (list.children.length > LINES) list.firstChild.remove();
    list.scrollTop = list.scrollHeight;
  }

  message(direction, m) {
    $("message-count").textContent = ++this.messages;
    let what = m.type;
    if (m.type === "description") what = `${m.description.type} (${m.description.sdp?.length ?? 0} bytes)`;
    if (m.type === "candidate") what = `candidate ${m.candidate?.candidate || "(no more)"}`;
    if (m.type === "error") what = `error ${m.code} ${m.text}`;
    if (m.type === "end") what = `end ${m.reason ?? ""}`;
    this.log($("messages"), m.seq ? `${what}  #${m.seq}` : what, direction);
  }

  state(id, value, what) {
    const output = $(id);
    if (output.value === value) return;
    output.value = value;
    output.dataset.is = GOOD.includes(value) ? "good" : BAD.includes(value) ? "bad" : "";
    this.log($("states"), `${what}: ${value}`);
  }

  // Watches this connection from now on.
  watch(pc) {
    clearInterval(this.timer);
    this.pc = pc;
    this.begun = performance.now();
    $("states").replaceChildren();
    $("candidates").tBodies[0].replaceChildren();
    this.kinds = [new Set(), new Set()];
    this.counts = [0, 0];
    for (const [id, [property, event, what]] of Object.entries(STATES)) {
      $(id).value = "";
      const look = () => {
        if (pc === this.pc) this.state(id, pc[property], what);
      };
      pc.addEventListener(event, look);
      look();
    }
    pc.addEventListener("icecandidate", ({ candidate }) => pc === this.pc && candidate?.candidate && this.candidate(0, candidate));
    pc.addEventListener("icecandidateerror", ({ url, errorText, errorCode }) => {
      if (pc === this.pc) this.log($("states"), `gathering: ${url} ${errorCode} ${errorText}`);
    });
    this.timer = setInterval(() => this.look(), INTERVAL);
    this.look();
  }

  // A candidate of ours (0) or theirs (1).
  candidate(side, candidate) {
    const { type, address, port, protocol, priority } = new RTCIceCandidate(candidate);
    this.kinds[side].add(type);
    this.counts[side]++;
    $("candidate-count").textContent = `${this.counts[0]} here, ${this.counts[1]} there`;
    row($("candidates").tBodies[0], [this.time(), side ? "theirs" : "own", type, place({ address, port }), protocol, priority]);
  }

  remoteCandidate(candidate) {
    if (candidate?.candidate && this.kinds) this.candidate(1, candidate);
  }

  async look() {
    const pc = this.pc;
    if (pc.connectionState === "closed") {
      clearInterval(this.timer);
      this.state("connection-state", "closed", "connection");
      return this.show(null, "closed");
    }
    const stats = await pc.getStats();
    if (pc !== this.pc) return;
    const all = [...stats.values()];
    const selected = all.find((entry) => entry.type === "transport")?.selectedCandidatePairId;
    const pairs = all.filter((entry) => entry.type === "candidate-pair").map((entry) => ({
      ...entry, local: stats.get(entry.localCandidateId), remote: stats.get(entry.remoteCandidateId),
      rtt: entry.currentRoundTripTime, isSelected: entry.id === selected,
    }));
    this.pairs(pairs);
    this.show(pairs.find((pair) => pair.isSelected && pair.state === "succeeded"), pc.iceConnectionState);
  }

  pairs(pairs) {
    const body = document.createElement("tbody");
    pairs.sort((a, b) => b.isSelected - a.isSelected || (b.priority ?? 0) - (a.priority ?? 0));
    for (const pair of pairs) {
      const [local, remote] = [pair.local, pair.remote].map((c) => c && `${c.candidateType} ${place(c)}`);
      const state = pair.isSelected ? "selected" : pair.nominated ? `${pair.state}, nominated` : pair.state;
      const rtt = pair.rtt === undefined ? undefined : `${(pair.rtt * 1000).toFixed(1)} ms`;
      row(body, [state, local, remote, rtt, size(pair.bytesSent), size(pair.bytesReceived)], pair.isSelected ? "selected" : pair.state);
    }
    $("pairs").tBodies[0].replaceWith(body);
    $("pair-count").textContent = pairs.length;
  }

  show(pair, state) {
    $("caption").textContent = caption(pair, state);
    draw($("picture"), { pair, state, names: this.names(), kinds: this.kinds ?? [new Set(), new Set()] });
  }
}

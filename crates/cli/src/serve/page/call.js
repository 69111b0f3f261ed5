// The calls with one peer: what the documentation of floe-signal has a page do, and what this page shows of it.
// Events: "connection" (a new RTCPeerConnection), "ended" (detail: reason), "progress".

const REPEAT = 2000;
const ANSWER = 60000;
// Who is called leaves the first offer to the caller, for so long: two offers at once cost a rollback.
const COURTESY = 500;
// After a rollback, how long candidates may stay away.
const STUCK = 2000;

export class Call extends EventTarget {
  // send(message) posts to the peer; prepare(pc) adds what is to be sent; configuration() is for the connection.
  constructor({ me, peer, send, prepare, configuration }) {
    super();
    Object.assign(this, { me, peer, send, prepare, configuration });
    this.polite = me < peer;
    this.floor = 0;
    this.call = 0;
    this.seq = this.heard = 0;
    this.unacked = [];
    this.ended = true;
    this.queue = Promise.resolve();
    this.discard();
    this.timer = setInterval(() => this.unacked.slice(0, 8).forEach((m) => this.post(m)), REPEAT);
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  post(message) {
    this.send({ to: this.peer, ...(this.call && { call: this.call }), ...(this.re && { re: this.re }), ack: this.heard, ...message });
  }

  say(message) {
    message.seq = ++this.seq;
    this.unacked.push(message);
    this.post(message);
  }

  // The transport was replaced.
  repeatAll() {
    this.unacked.forEach((message) => this.post(message));
  }

  begin(theirs) {
    this.call = Math.max(Date.now(), this.call + 1);
    this.re = theirs;
    this.seq = this.heard = 0;
    this.unacked = [];
    this.ended = this.makingOffer = this.ignoreOffer = false;
    this.discard();
    const pc = this.pc = new RTCPeerConnection(this.configuration());
    pc.onnegotiationneeded = () => this.offer(pc);
    pc.onicecandidate = ({ candidate }) => {
      if (pc === this.pc && !this.ended) this.say({ type: "candidate", candidate });
    };
    this.say({ type: "start" });
    this.tell("connection", pc);
    this.prepared = false;
    clearTimeout(this.courtesy);
    if (theirs) this.courtesy = setTimeout(() => this.ready(pc), COURTESY);
    else this.ready(pc);
  }

  // Adds what is to be sent, which makes an offer if there is none to answer.
  ready(pc) {
    if (this.prepared || pc !== this.pc || this.ended) return;
    this.prepared = true;
    this.prepare(pc);
  }

  async offer(pc) {
    try {
      this.makingOffer = true;
      await pc.setLocalDescription();
      if (pc !== this.pc || this.ended) return;
      this.say({ type: "description", description: pc.localDescription });
      clearTimeout(this.patience);
      this.patience = setTimeout(() => this.hangUp("timeout"), ANSWER);
    } catch (error) {
      if (pc === this.pc && !this.ended) this.tell("fault", error);
    } finally {
      if (pc === this.pc) this.makingOffer = false;
    }
  }

  // What a connection was asked for before it was closed is never answered: nobody may go on waiting for that.
  discard() {
    this.pc?.close();
    this.release?.();
    this.gone = new Promise((resolve) => { this.release = resolve; });
  }

  close(reason) {
    clearTimeout(this.patience);
    this.unacked = [];
    this.ended = true;
    this.discard();
    this.tell("ended", reason);
  }

  hangUp(reason = "hang-up") {
    if (this.ended) return;
    this.close(reason);
    this.say({ type: "end", reason });
  }

  // The peer is gone for good: there is nobody to tell.
  forget(reason) {
    clearInterval(this.timer);
    if (!this.ended) this.close(reason);
    this.unacked = [];
  }

  restart() {
    if (this.ended) return;
    this.pc.setConfiguration(this.configuration());
    this.pc.restartIce();
  }

  // One after the other: each awaits the last.
  hear(message) {
    const handle = () => Promise.race([this.heardFromPeer(message), this.gone]);
    this.queue = this.queue.then(handle).catch((error) => this.tell("fault", error));
  }

  async heardFromPeer(m) {
    if (m.type === "error") {
      if (m.code === "unknown-call" && m.re === this.call && !this.ended) this.close("unknown-call");
      return;
    }
    if (m.type === "end") {
      if (!this.ended && (this.re ? m.call >= this.re : m.re === this.call)) this.close(m.reason ?? "hang-up");
      this.floor = Math.max(this.floor, m.call);
      this.post({ type: "ack", re: m.call, ack: m.seq });
      return;
    }
    // Its call is not new, but in ours it is.
    const joins = !this.ended && !this.re && m.re === this.call && m.call === this.floor;
    if (m.type === "start" && (m.call > this.floor || joins)) {
      const acked = (this.unacked[0]?.seq ?? this.seq + 1) - 1;
      const fresh = this.heard <= 1 && (acked === 0 || acked === 1 && m.re === this.call);
      this.floor = m.call;
      if (this.ended || this.re && !fresh) {
        clearTimeout(this.patience);
        this.begin(m.call);
      }
      this.re = m.call;
      this.heard = 0;
    }
    if (m.re === this.call && (this.ended || m.call === this.re)) {
      this.unacked = this.unacked.filter((u) => u.seq > (m.ack ?? 0));
    }
    if (m.seq && this.ended && m.re && m.re !== this.call) {
      this.post({ type: "error", code: "unknown-call", text: "", about: m.seq, re: m.call });
      return;
    }
    // Of a call that is over.
    if (!m.seq || this.ended || m.call !== this.re || m.re && m.re !== this.call) return;
    if (m.seq === this.heard + 1) {
      this.heard++;
      if (m.type === "description") await this.described(m.description);
      if (m.type === "candidate") await this.candidate(m.candidate);
      this.tell("progress", m);
    }
    this.post({ type: "ack" });
  }

  async candidate(candidate) {
    try {
      await this.pc.addIceCandidate(candidate ?? undefined);
    } catch (error) {
      if (!this.ignoreOffer && !this.ended) throw error;
    }
  }

  async described(description) {
    const pc = this.pc;
    if (description.type !== "offer" || this.polite) clearTimeout(this.patience);
    if (description.type === "rollback") return pc.setLocalDescription({ type: "rollback" });
    this.ignoreOffer = description.type === "offer" && !this.polite && (this.makingOffer || pc.signalingState !== "stable");
    if (this.ignoreOffer) return;
    if (description.type === "offer" && pc.signalingState !== "stable") this.unstick(pc);
    this.ready(pc);
    // An own offer is rolled back by itself.
    await pc.setRemoteDescription(description);
    if (description.type === "offer") {
      await pc.setLocalDescription();
      if (pc === this.pc && !this.ended) this.say({ type: "description", description: pc.localDescription });
    }
  }

  // Chromium may gather nothing more when an offer was rolled back while it gathered for it; for a restart it does.
  unstick(pc) {
    setTimeout(() => {
      if (pc === this.pc && !this.ended && pc.iceConnectionState === "new") pc.restartIce();
    }, STUCK);
  }
}

// Chat and files over the data channel "floe", as docs/data-channel.md has them.
// Events: "open", "close", "chat" (detail: text), "file" (detail: a File in one of its states).

import { Sha256 } from "/sha256.js";

const PIECE = 16380;
const HIGH = 1 << 20;
const LOW = 256 << 10;
const LARGEST = 1 << 30;

export class Channel extends EventTarget {
  constructor(pc) {
    super();
    this.files = { own: new Map(), theirs: new Map() };
    this.last = 0;
    this.dc = pc.createDataChannel("floe", { negotiated: true, id: 0 });
    this.dc.binaryType = "arraybuffer";
    this.dc.bufferedAmountLowThreshold = LOW;
    this.dc.onopen = () => this.tell("open");
    this.dc.onclose = () => this.closed();
    this.dc.onmessage = ({ data }) => typeof data === "string" ? this.text(data) : this.piece(data);
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  get isOpen() {
    return this.dc.readyState === "open";
  }

  say(message) {
    if (this.isOpen) this.dc.send(JSON.stringify(message));
  }

  chat(text) {
    this.say({ type: "chat", text });
  }

  closed() {
    for (const file of [...this.files.own.values(), ...this.files.theirs.values()]) {
      if (file.state === "moving" || file.state === "sent") this.change(file, "failed", "the channel was closed");
    }
    this.tell("close");
  }

  change(file, state, reason) {
    Object.assign(file, { state, reason });
    this.tell("file", file);
  }

  async sendFile(source) {
    const id = ++this.last;
    const file = { own: true, id, name: source.name, size: source.size, done: 0, state: "moving" };
    this.files.own.set(id, file);
    this.say({ type: "file", id, name: source.name, size: source.size });
    this.tell("file", file);
    const hash = new Sha256();
    try {
      for (let at = 0; at < source.size && file.state === "moving"; at += PIECE * 16) {
        const bytes = new Uint8Array(await source.slice(at, at + PIECE * 16).arrayBuffer());
        hash.update(bytes);
        await this.sendPieces(file, bytes);
        this.tell("file", file);
      }
    } catch (error) {
      this.say({ type: "file-cancel", id });
      this.change(file, "failed", error.message);
    }
    if (file.state !== "moving") return;
    this.say({ type: "file-end", id, sha256: hash.hex() });
    this.change(file, "sent");
  }

  async sendPieces(file, bytes) {
    for (let at = 0; at < bytes.length && file.state === "moving"; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE);
      const message = new Uint8Array(4 + piece.length);
      new DataView(message.buffer).setUint32(0, file.id);
      message.set(piece, 4);
      if (this.dc.bufferedAmount > HIGH) await this.drained();
      if (!this.isOpen) throw new Error("the channel was closed");
      this.dc.send(message);
      file.done += piece.length;
    }
  }

  drained() {
    return new Promise((resolve) => {
      const done = () => {
        this.dc.removeEventListener("bufferedamountlow", done);
        this.dc.removeEventListener("close", done);
        resolve();
      };
      this.dc.addEventListener("bufferedamountlow", done);
      this.dc.addEventListener("close", done);
    });
  }

  text(data) {
    let m;
    try {
      m = JSON.parse(data);
    } catch {
      return;
    }
    const own = this.files.own.get(m?.id), theirs = this.files.theirs.get(m?.id);
    switch (m?.type) {
      case "chat":
        if (typeof m.text === "string") this.tell("chat", m.text);
        break;
      case "file":
        if (Number.isInteger(m.id) && Number.isInteger(m.size) && m.size >= 0 && !theirs) this.receive(m);
        break;
      case "file-end":
        if (theirs?.state === "moving") this.finish(theirs, m.sha256);
        break;
      case "file-cancel":
        if (theirs?.state === "moving") this.drop(theirs, "cancelled");
        break;
      case "file-ok":
        if (own?.state === "sent") this.change(own, "there");
        break;
      case "file-error":
        if (own && own.state !== "there") this.change(own, "failed", String(m.reason).slice(0, 100));
        break;
    }
  }

  receive({ id, name, size }) {
    // The last part of the name, and nothing that is not to be seen.
    const plain = String(name ?? "").split(/[\/\\]/).pop().replace(/\p{C}/gu, "").slice(0, 200) || "file";
    const file = { own: false, id, name: plain, size, done: 0, state: "moving", parts: [], hash: new Sha256() };
    this.files.theirs.set(id, file);
    if (size > LARGEST) this.fail(file, "too-large");
    else this.tell("file", file);
  }

  piece(data) {
    if (data.byteLength < 5) return;
    const file = this.files.theirs.get(new DataView(data).getUint32(0));
    if (file?.state !== "moving") return;
    const bytes = new Uint8Array(data, 4);
    file.done += bytes.length;
    if (file.done > file.size) return this.fail(file, "size");
    file.hash.update(bytes);
    file.parts.push(bytes);
    // Small pieces are put together where the browser may move them to a disk.
    if (file.parts.length >= 256) file.parts = [new Blob(file.parts)];
    this.tell("file", file);
  }

  finish(file, sha256) {
    if (file.done !== file.size) return this.fail(file, "size");
    if (file.hash.hex() !== sha256) return this.fail(file, "mismatch");
    file.blob = new Blob(file.parts);
    file.parts = [];
    file.sha256 = sha256;
    this.say({ type: "file-ok", id: file.id });
    this.change(file, "there");
  }

  fail(file, reason) {
    this.say({ type: "file-error", id: file.id, reason });
    this.drop(file, reason);
  }

  drop(file, reason) {
    file.parts = [];
    this.change(file, "failed", reason);
  }
}

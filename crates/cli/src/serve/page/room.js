// The way to the signalling server: a WebSocket, or plain HTTP where none can be opened. It comes back by itself.
// Events: "welcome", "message", "trouble" (detail: code, text), "state" (detail: text).

const PATIENCE = 8000;
// Errors after which it makes no sense to try again.
const FINAL = ["unauthorized", "name-taken", "room-full", "malformed", "too-large", "version"];

export class Room extends EventTarget {
  constructor({ room, name, token, resume }) {
    super();
    Object.assign(this, { room, name, token, resume, id: null, link: null, delay: 0, over: false });
    this.connect(true);
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  get join() {
    const { room, name, token, resume } = this;
    return JSON.stringify({ v: 1, type: "join", room, name, ...(token && { token }), ...(resume && { resume }) });
  }

  // Whether a message went out; what is repeated until it is acknowledged need not.
  send(message) {
    return this.link?.send(JSON.stringify({ v: 1, ...message })) ?? false;
  }

  leave() {
    this.over = true;
    this.link?.leave();
  }

  connect(withSocket) {
    if (this.over) return;
    this.tell("state", "connecting");
    const Link = withSocket ? Socket : Requests;
    this.link = new Link(this, (reason) => this.lost(reason, withSocket));
  }

  lost({ code, opened }, withSocket) {
    this.link = null;
    if (this.over) return;
    if (code === 4000) {
      this.over = true;
      this.tell("state", "closed");
      this.tell("trouble", { code: "replaced", text: "This call was opened in another tab or window." });
      return;
    }
    this.tell("state", "lost");
    // A network without WebSockets is one where none ever opened.
    const next = opened ? withSocket : !withSocket;
    setTimeout(() => this.connect(next), this.delay);
    this.delay = Math.min(5000, this.delay * 2 + 250);
  }

  receive(message) {
    switch (message.type) {
      case "ping":
        this.send({ type: "pong" });
        return;
      case "pong":
        return;
      case "welcome":
        this.delay = 0;
        this.resume = message.resume;
        this.id = message.id;
        this.tell("state", this.link instanceof Socket ? "WebSocket" : "HTTP");
        this.tell("welcome", message);
        return;
      case "error":
        if (!message.from) this.refused(message);
        break;
    }
    this.tell("message", message);
  }

  refused(error) {
    if (!this.id && FINAL.includes(error.code)) {
      this.over = true;
      this.tell("state", "refused");
    }
    this.tell("trouble", error);
  }
}

class Socket {
  constructor(room, lost) {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/${room.room}/ws`);
    let opened = false;
    const impatient = setTimeout(() => this.socket.close(), PATIENCE);
    this.socket.onopen = () => {
      opened = true;
      clearTimeout(impatient);
      this.send(room.join);
    };
    this.socket.onmessage = ({ data }) => room.receive(JSON.parse(data));
    this.socket.onclose = ({ code }) => {
      clearTimeout(impatient);
      lost({ code, opened });
    };
  }

  send(text) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(text);
    return true;
  }

  leave() {
    this.socket.close(1000);
  }
}

// Messages go out one after the other, as they were given.
class Requests {
  constructor(room, lost) {
    this.room = room;
    this.queue = Promise.resolve();
    this.stop = new AbortController();
    this.run().then((opened) => lost({ opened }), () => lost({ opened: false }));
  }

  request(what, init) {
    const headers = { "content-type": "application/json", ...(this.room.resume && { authorization: `Bearer ${this.room.resume}` }) };
    return fetch(`/${this.room.room}/${what}`, { headers, signal: this.stop.signal, ...init });
  }

  async run() {
    const joined = await this.request("join", { method: "POST", body: this.room.join });
    const answer = await joined.json();
    if (!joined.ok) {
      this.room.refused(answer);
      return true;
    }
    this.room.resume = answer.resume;
    const { body } = await this.request("events");
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ;) {
      const { done, value } = await reader.read();
      if (done) return true;
      const events = (text + value).split("\n\n");
      text = events.pop();
      for (const line of events.join("\n").split("\n")) {
        if (line.startsWith("data:")) this.room.receive(JSON.parse(line.slice(5)));
      }
    }
  }

  send(text) {
    this.queue = this.queue.then(() => this.request("messages", { method: "POST", body: text })).then(async (answer) => {
      if (!answer.ok) this.room.receive(await answer.json());
    }).catch(() => this.stop.abort());
    return true;
  }

  leave() {
    this.queue.finally(() => this.request("leave", { method: "POST", keepalive: true }).finally(() => this.stop.abort()));
  }
}

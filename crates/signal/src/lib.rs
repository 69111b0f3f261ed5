//! Sans-IO WebRTC signalling: what two participants say to each other, through a server, until they have a peer connection.
//!
//! - [`session`]: the negotiation of one peer connection as a state machine. A [`Session`] drives a `floe_ice` agent, and the other
//!   side may be a browser.
//! - [`message`]: the messages, in JSON that a page can write by hand.
//! - [`sdp`]: session descriptions, lossless, with ICE's parts (RFC 8839) to be read and changed; data-channel offers and answers; and
//!   fragments for trickling (RFC 8840).
//!
//! Nothing here opens a socket or reads a clock. A WebSocket is the natural transport, and any other that carries text does.
//!
//! # The protocol
//!
//! Every message is one JSON object with `v` (1) and `type`. Members that are not known are passed over; a message that cannot be
//! used is answered with an `error` and changes nothing.
//!
//! | `type` | way | members | meaning |
//! |---|---|---|---|
//! | `join` | to the server | `room`, `name`, `token`?, `resume`? | let me in; with `resume` as the one I was |
//! | `welcome` | from the server | `id`, `participants` (`[{id, name}]`), `iceServers`, `resume`? | you are in; `iceServers` is for `new RTCPeerConnection({iceServers})` |
//! | `joined` | from the server | `id`, `name` | someone else is in, or back |
//! | `left` | from the server | `id` | someone is out for good |
//! | `start` | to a peer | | a call begins; `seq` is 1 |
//! | `description` | to a peer | `description` | `pc.localDescription`, or `{type:"rollback"}`: your offer is refused |
//! | `candidate` | to a peer | `candidate` | `event.candidate`; `null` or an empty line: no more |
//! | `end` | to a peer | `reason`? | the call is over: `hang-up`, `declined`, `busy`, … |
//! | `ack` | to a peer | | nothing but `ack` |
//! | `error` | to anyone | `code`, `text`, `about`? | a message, that with `seq` = `about`, had no effect |
//! | `ping`, `pong` | to and from the server | | is the transport alive? |
//!
//! What goes to a peer is addressed, numbered and acknowledged:
//!
//! | member | meaning |
//! |---|---|
//! | `to`, `from` | ids of participants. The server sets `from`, and passes on what has `to` |
//! | `call` | the number of the sender's call: greater in each call, over reloads too, so `Date.now()` when it begins |
//! | `re` | the number of the receiver's call, once its `start` is there. A message with another `re` is of a call that is over |
//! | `seq` | 1, 2, 3, … in this call, for `start`, `description`, `candidate` and `end` |
//! | `ack` | the last `seq` of the other side that arrived with all before it |
//!
//! 1. **Begin.** Either side sends `start`, and may go on with an offer at once. The other answers with a `start` of its own. When both
//!    send one at the same time, that is the same. A `start` with a greater `call` than before means that the peer began
//!    anew: what was is over, and we begin anew as well, unless nothing but `start` went either way in this call of ours, and that
//!    either is known to the peer's new call or is still to be acknowledged.
//! 2. **Negotiate** as browsers' perfect negotiation does. *Polite* is who has the smaller id (`myId < peerId`). An offer that arrives while
//!    an own one is unanswered is taken by the polite side, which rolls back, and ignored by the other. Candidates of an ignored
//!    offer are ignored with it. An offer once sent is not withdrawn; one that stays unanswered for 60 s ends the call.
//! 3. **Repeat.** A message with a `seq` that is not acknowledged is sent again after 1 s, 2 s, 4 s, then every 8 s, and all of them at once when
//!    the transport was replaced (`join` with `resume`). Duplicates have no effect and are acknowledged again. A message
//!    before its turn may be kept or dropped. What is received is acknowledged by the next message, or by an `ack` if there is none.
//! 4. **End.** `end` is taken out of turn, and acknowledged. It is repeated like the others. Another call may begin at once.
//!
//! A page needs no more than this. `tests/signal/page.rs` is the same, and plays it against a [`Session`].
//!
//! ```js
//! const polite = myId < peerId;
//! let pc, call, re, floor = 0, seq, heard, unacked = [], ended = true, makingOffer, ignoreOffer, patience;
//!
//! const post = m => ws.send(JSON.stringify({v: 1, to: peerId, call, re, ack: heard, ...m}));
//! const say = m => { m.seq = ++seq; unacked.push(m); post(m); };
//! setInterval(() => unacked.slice(0, 8).forEach(post), 2000);             // and unacked.forEach(post) on a new transport
//!
//! function begin(theirs) {                                                // to call: begin()
//!   call = Math.max(Date.now(), (call ?? 0) + 1);
//!   re = theirs; seq = heard = 0; unacked = []; ended = makingOffer = ignoreOffer = false;
//!   pc = new RTCPeerConnection({iceServers});
//!   pc.onnegotiationneeded = async () => {
//!     makingOffer = true;
//!     await pc.setLocalDescription();
//!     say({type: "description", description: pc.localDescription});
//!     makingOffer = false;
//!     clearTimeout(patience);
//!     patience = setTimeout(hangUp, 60000);
//!   };
//!   pc.onicecandidate = ({candidate}) => say({type: "candidate", candidate});
//!   say({type: "start"});
//! }
//!
//! function close() { clearTimeout(patience); unacked = []; ended = true; pc.close(); }
//! function hangUp() { close(); say({type: "end"}); }
//!
//! // One after the other: each awaits the last, or that the connection is closed (its promises are then never settled).
//! async function heardFromPeer(m) {
//!   if (m.type == "error") return m.code == "unknown-call" && m.re == call && !ended && close();
//!   if (m.type == "end") {
//!     if (!ended && (re ? m.call >= re : m.re == call)) close();
//!     floor = Math.max(floor, m.call);
//!     return post({type: "ack", re: m.call, ack: m.seq});
//!   }
//!   const joins = !ended && !re && m.re == call && m.call == floor;         // its call is not new, but in ours it is
//!   if (m.type == "start" && (m.call > floor || joins)) {
//!     const acked = (unacked[0]?.seq ?? seq + 1) - 1;
//!     const fresh = heard <= 1 && (acked == 0 || acked == 1 && m.re == call);
//!     floor = m.call;
//!     if (ended || re && !fresh) begin(m.call);
//!     re = m.call; heard = 0;
//!   }
//!   if (m.re == call && (ended || m.call == re)) unacked = unacked.filter(u => u.seq > (m.ack ?? 0));
//!   if (m.seq && ended && m.re && m.re != call)
//!     return post({type: "error", code: "unknown-call", text: "", about: m.seq, re: m.call});
//!   if (!m.seq || ended || m.call != re || (m.re && m.re != call)) return;  // the last three: of a call that is over
//!   if (m.seq == heard + 1) {
//!     heard++;
//!     if (m.type == "description") await described(m.description);
//!     if (m.type == "candidate") await pc.addIceCandidate(m.candidate ?? undefined).catch(e => { if (!ignoreOffer) throw e; });
//!   }
//!   post({type: "ack"});
//! }
//!
//! async function described(description) {
//!   if (description.type != "offer" || polite) clearTimeout(patience);
//!   if (description.type == "rollback") return pc.setLocalDescription({type: "rollback"});
//!   ignoreOffer = description.type == "offer" && !polite && (makingOffer || pc.signalingState != "stable");
//!   if (ignoreOffer) return;
//!   await pc.setRemoteDescription(description);                           // an own offer is rolled back by itself
//!   if (description.type == "offer") {
//!     await pc.setLocalDescription();
//!     say({type: "description", description: pc.localDescription});
//!   }
//! }
//! ```
//!
//! # Driving an agent
//!
//! | session | `floe_ice::Agent` |
//! |---|---|
//! | own offer or answer | [`sdp::DataChannel`] with the agent's credentials and the candidates it has, to [`Session::set_local_description`] |
//! | [`Event::RemoteDescription`] | [`sdp::Section::transport`] and [`sdp::Section::ice`] give credentials (`set_remote_parameters`) and candidates |
//! | [`Event::Candidate`] | `CandidateInit::to_candidate`, then `add_remote_candidate` |
//! | [`Event::EndOfCandidates`] | `end_of_remote_candidates_of` that generation |
//! | the agent's candidates | `CandidateInit::new` with `sdp_mid`, to [`Session::add_local_candidate`] |
//! | [`Session::role`] | the agent's role, before its first offer goes out or is taken; a conflict repairs itself |
//! | [`Event::RestartedByPeer`] | `restart`, before the answer is made; the answer has the new credentials |

#![forbid(unsafe_code)]

pub mod message;
pub mod sdp;
pub mod session;

pub use session::{Config, Event, Received, Session, SessionError, SignalingState, Stats};

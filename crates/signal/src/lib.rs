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
//!    anew: what was is over, and unless it is the first of this call of ours, we begin anew as well.
//! 2. **Negotiate** as browsers' perfect negotiation does. *Polite* is who has the smaller id (`myId < peerId`). An offer that arrives while
//!    an own one is unanswered is taken by the polite side, which rolls back, and ignored by the other. Candidates of an ignored
//!    offer are ignored with it. An offer once sent is not withdrawn; one that stays unanswered for 60 s ends the call.
//! 3. **Repeat.** A message with a `seq` that is not acknowledged is sent again after 1 s, 2 s, 4 s, then every 8 s, and all of them at once when
//!    the transport was replaced (`join` with `resume`). Duplicates have no effect and are acknowledged again. A message
//!    before its turn may be kept or dropped. What is received is acknowledged by the next message, or by an `ack` if there is none.
//! 4. **End.** `end` is taken out of turn, and acknowledged. It is repeated like the others. Another call may begin at once.
//!
//! A page needs no more than this for a peer that it calls or that calls it:
//!
//! ```js
//! const polite = myId < peerId;
//! let call = Date.now(), re, seq = 0, heard = 0, unacked = [], makingOffer = false, ignoreOffer = false;
//! const post = m => ws.send(JSON.stringify({v: 1, to: peerId, call, re, ack: heard, ...m}));
//! const say = m => { m.seq = ++seq; unacked.push(m); post(m); };         // again: unacked.forEach(post), by timer and on resume
//!
//! pc.onnegotiationneeded = async () => {
//!   makingOffer = true;
//!   await pc.setLocalDescription();
//!   say({type: "description", description: pc.localDescription});
//!   makingOffer = false;
//! };
//! pc.onicecandidate = ({candidate}) => say({type: "candidate", candidate});
//!
//! async function heardFromPeer(m) {                                       // one after the other: await the last before the next
//!   if (m.type == "end") { post({type: "ack", re: m.call, ack: m.seq}); return pc.close(); }
//!   if (m.type == "start" && m.call > (re ?? 0)) {
//!     if (re) return beginAnew(m);                                        // new pc, new call number, and then as below
//!     re = m.call;
//!   }
//!   if (m.call != re || (m.re && m.re != call)) return;                   // of a call that is over
//!   unacked = unacked.filter(u => u.seq > (m.ack ?? 0));
//!   if (!m.seq) return;
//!   if (m.seq == heard + 1) {
//!     heard++;
//!     if (m.type == "description") await described(m.description);
//!     if (m.type == "candidate") await pc.addIceCandidate(m.candidate ?? undefined).catch(e => { if (!ignoreOffer) throw e; });
//!   }
//!   post({type: "ack"});
//! }
//!
//! async function described(description) {
//!   if (description.type == "rollback") return pc.setLocalDescription({type: "rollback"});
//!   ignoreOffer = description.type == "offer" && !polite && (makingOffer || pc.signalingState != "stable");
//!   if (ignoreOffer) return;
//!   await pc.setRemoteDescription(description);                           // rolls back by itself
//!   if (description.type == "offer") {
//!     await pc.setLocalDescription();
//!     say({type: "description", description: pc.localDescription});
//!   }
//! }
//!
//! say({type: "start"});                                                   // to call, and to answer a start
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

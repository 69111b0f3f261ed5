//! The members of all messages in one object. A member means the same in every message that has it.

use std::borrow::Cow;

use floe_ice::candidate::CandidateInit;
use serde::{Deserialize, Deserializer, Serialize};

use super::{EndReason, ErrorCode, IceServer, Participant, ParticipantId, SessionDescription};

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Wire<'a> {
    pub(super) v: Option<u64>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<Cow<'a, ParticipantId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<Cow<'a, ParticipantId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) call: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) re: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ack: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Cow<'a, ParticipantId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) room: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resume: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) participants: Option<Cow<'a, [Participant]>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ice_servers: Option<Cow<'a, [IceServer]>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Cow<'a, EndReason>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Cow<'a, SessionDescription>>,
    /// `null` is a value here: no more candidates.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub(super) candidate: Option<Option<Cow<'a, CandidateInit>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<Cow<'a, ErrorCode>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) about: Option<u64>,
}

/// A member that is there, whatever its value.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

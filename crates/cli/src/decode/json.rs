//! The annotated message, for programs.

use serde_json::{Value, json};

use super::attribute::AttributeView;
use super::dissect::{Dissection, Note, Packet, Stun};
use super::integrity::{Check, Integrity};
use super::value;

/// One JSON object on one line.
pub(crate) fn render(dissection: &Dissection<'_>) -> String {
    let mut object = match &dissection.packet {
        Packet::Stun(stun) => stun_object(stun),
        Packet::ChannelData(channel) => json!({
            "kind": "channel-data",
            "channel": channel.number,
            "dataLength": channel.length,
            "data": value::hex(channel.data),
            "padding": value::hex(channel.padding),
        }),
        Packet::Other(guess) => json!({ "kind": "other", "looksLike": guess }),
    };
    object["good"] = dissection.faults.is_empty().into();
    object["length"] = dissection.bytes.len().into();
    object["faults"] = notes(&dissection.faults);
    object["remarks"] = notes(&dissection.remarks);
    format!("{object}\n")
}

fn notes(notes: &[Note]) -> Value {
    notes.iter().map(|note| json!({ "offset": note.offset, "message": note.text })).collect()
}

fn stun_object(stun: &Stun<'_>) -> Value {
    let mut object = json!({
        "kind": "stun",
        "attributes": stun.attributes.iter().map(attribute).collect::<Value>(),
        "integrity": stun.integrity.iter().map(integrity).collect::<Value>(),
        "fingerprint": stun.fingerprint.map(|right| if right { "right" } else { "wrong" }),
    });
    if let Some(header) = &stun.header {
        object["header"] = json!({
            "type": header.message_type,
            "class": header.class.to_string(),
            "method": header.method.to_string(),
            "length": header.length,
            "cookie": format!("0x{:08x}", header.cookie),
            "transactionId": header.transaction_id.to_string(),
        });
    }
    object
}

fn attribute(view: &AttributeView<'_>) -> Value {
    json!({
        "offset": view.offset,
        "type": view.kind.number(),
        "name": view.kind.name(),
        "length": view.length,
        "value": view.text,
        "hex": value::hex(view.value),
        "padding": value::hex(view.padding),
        "ignored": view.ignored,
    })
}

fn integrity(check: &Check) -> Value {
    let (result, detail) = match &check.result {
        Integrity::Unchecked => ("unchecked", None),
        Integrity::Right(credentials) => ("right", Some(*credentials)),
        Integrity::Wrong(reason) => ("wrong", Some(reason.as_str())),
        Integrity::Undecided => ("undecided", None),
    };
    json!({ "offset": check.offset, "name": check.kind.name(), "result": result, "detail": detail })
}

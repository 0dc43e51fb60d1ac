//! `AlertProvider`: a chat room that is told.
use super::{Decoded, Meta, decoded};
use crate::decode::Fields;
use crate::problem::{Problem, Rule};
use serde_json::Value;

/// A chat room that canaries refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertProvider {
    /// What it says of itself.
    pub meta: Meta,
    /// Which kind of room: `slack`, `msteams`, `discord`, `rocket`, `gchat`.
    pub kind: String,
    /// The channel; `general` where none is named.
    pub channel: String,
    /// Who speaks; `flagger` where nobody is named, as receivers may filter by it.
    pub username: String,
    /// The address of its webhook.
    pub address: Option<String>,
    /// A proxy on the way there.
    pub proxy: Option<String>,
    /// The Secret that has `address` and perhaps `token`.
    pub secret: Option<String>,
}

/// The kinds of rooms that Flagger knows.
pub const ROOMS: [&str; 5] = ["slack", "msteams", "discord", "rocket", "gchat"];

impl AlertProvider {
    /// The kind's name.
    pub const KIND: &'static str = "AlertProvider";

    /// Reads one provider.
    ///
    /// # Errors
    /// Why the value is none at all; everything else stands beside the object.
    pub fn decode(value: &Value) -> Result<Decoded<AlertProvider>, Vec<Problem>> {
        decoded(value, Self::KIND, Self::read)
    }

    pub(super) fn read(fields: &mut Fields<'_, '_>, meta: Meta) -> AlertProvider {
        let spec = fields.child("spec", |spec| {
            let kind = spec.needed_text("type", "write one of slack, msteams, discord, rocket, gchat");
            let read = AlertProvider {
                kind: kind.clone().unwrap_or_default(),
                channel: spec.text("channel").filter(|text| !text.is_empty()).unwrap_or_else(|| "general".to_owned()),
                username: spec.text("username").filter(|text| !text.is_empty()).unwrap_or_else(|| "flagger".to_owned()),
                address: spec.text("address").filter(|text| !text.is_empty()),
                proxy: spec.text("proxy").filter(|text| !text.is_empty()),
                secret: spec
                    .child("secretRef", |secret| secret.needed_text("name", "write the name of a Secret"))
                    .flatten(),
                ..AlertProvider::default()
            };
            if let Some(kind) = kind.filter(|kind| !ROOMS.contains(&kind.as_str())) {
                let message = format!("there is no kind of alert called `{}`", crate::decode::cut(&kind));
                let help = "write one of slack, msteams, discord, rocket, gchat";
                spec.add(Problem::error(Rule::Value, spec.at("type"), message, help));
            }
            if read.address.is_none() && read.secret.is_none() {
                let help = "write `address`, or `secretRef` with the name of a Secret that has it";
                spec.add(Problem::error(Rule::Missing, spec.path(), "nothing says where alerts go", help));
            }
            read
        });
        AlertProvider { meta, ..spec.unwrap_or_default() }
    }
}

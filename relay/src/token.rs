//! Words that a LiveKit server believes: JSON web tokens by HMAC-SHA256 (RFC 7519, RFC 7515 §A.1), with LiveKit's grants.
//!
//! Lives here: the two kinds that there are: somebody comes into a room; this relay does something to one.
//! Must not: read a clock, or be shown: whoever holds one has what it grants.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hkdf_sha2::Sha256;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};

/// {"alg":"HS256","typ":"JWT"}
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// Who signs, and with what.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The name of the secret.
    pub key: String,
    /// What the server knows too.
    pub secret: String,
}

/// The secret is not shown, and its name says whose it is.
impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<api key>")
    }
}

/// What this relay may do to a room with one token: no more than it is going to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Create or delete it.
    Create,
    /// Look who is there, put somebody out.
    Admin,
    /// See which rooms there are: nothing to anybody.
    List,
}

impl ApiKey {
    /// Lets this identity into this room, to speak and hear there, from `now_s` on for so long. Nothing else: it makes no room and
    /// moves nobody.
    pub fn entry(&self, now_s: u64, for_s: u64, room: &str, identity: &str) -> String {
        let video = json!({
            "roomJoin": true, "room": room, "canPublish": true, "canSubscribe": true, "canPublishData": false,
            "canUpdateOwnMetadata": false, "canPublishSources": ["microphone"],
        });
        self.sign(&json!({ "iss": self.key, "sub": identity, "nbf": now_s, "exp": now_s.saturating_add(for_s), "video": video }))
    }

    /// For one request of our own about a room, good for a minute.
    pub fn request(&self, now_s: u64, right: Right, room: &str) -> String {
        let video = match right {
            Right::Create => json!({ "roomCreate": true }),
            Right::Admin => json!({ "roomAdmin": true, "room": room }),
            Right::List => json!({ "roomList": true }),
        };
        self.sign(&json!({ "iss": self.key, "nbf": now_s.saturating_sub(5), "exp": now_s.saturating_add(60), "video": video }))
    }

    /// What only who has the secret can make of these bytes, for one purpose.
    pub(crate) fn mac(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        let key = hmac(self.secret.as_bytes(), &[purpose.as_bytes()]);
        hmac(&key, &[bytes])
    }

    fn sign(&self, claims: &Value) -> String {
        let body = format!("{HEADER}.{}", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = hmac(self.secret.as_bytes(), &[body.as_bytes()]);
        format!("{body}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(token: &str) -> Value {
        let body = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
    }

    fn key() -> ApiKey {
        ApiKey { key: "k".to_owned(), secret: "s".to_owned() }
    }

    #[test]
    fn a_token_is_signed_as_the_standard_says() {
        // RFC 7515 §A.1: the signature of its example, under its key.
        let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let secret = BASE64_URL_SAFE_NO_PAD.decode(secret).unwrap();
        let body = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = BASE64_URL_SAFE_NO_PAD.encode(hmac(&secret, &[body.as_bytes()]));
        assert_eq!(signature, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn who_comes_in_may_speak_and_hear_there_for_ten_minutes_and_nothing_else() {
        let claims = claims(&key().entry(1_000, 600, "room", "who"));
        assert_eq!(
            (&claims["sub"], &claims["nbf"], &claims["exp"]),
            (&json!("who"), &json!(1_000), &json!(1_600))
        );
        let video = claims["video"].as_object().unwrap();
        assert_eq!((&video["room"], &video["roomJoin"]), (&json!("room"), &json!(true)));
        for never in
            ["roomAdmin", "roomCreate", "roomList", "roomRecord", "hidden", "ingressAdmin", "canPublishData"]
        {
            assert_ne!(video.get(never), Some(&json!(true)), "{never}");
        }
    }

    #[test]
    fn what_this_relay_asks_with_grants_that_one_thing() {
        let video = |right| claims(&key().request(1_000, right, "room"))["video"].clone();
        assert_eq!(video(Right::Create), json!({ "roomCreate": true }));
        assert_eq!(video(Right::Admin), json!({ "roomAdmin": true, "room": "room" }));
        assert_eq!(video(Right::List), json!({ "roomList": true }));
        assert_eq!(claims(&key().request(1_000, Right::List, "room"))["exp"], json!(1_060));
    }

    #[test]
    fn the_secret_is_not_shown() {
        assert_eq!(format!("{:?}", key()), "<api key>");
    }
}

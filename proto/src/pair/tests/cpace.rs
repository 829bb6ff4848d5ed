//! Does our CPace give what the draft says?
//!
//! Lives here: the vectors of draft-irtf-cfrg-cpace-21, appendix B.3 (ristretto255 with SHA-512), and of A.1.
//! Must not: hold a value that was not in the draft.

use data_encoding::HEXLOWER;

use super::*;

const WORD: &[u8] = b"Password";
const A: &[u8] = b"ADa";
const B: &[u8] = b"ADb";

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn point(text: &str) -> [u8; 32] {
    hex(text).try_into().unwrap()
}

fn channel() -> Vec<u8> {
    hex("0b415f696e69746961746f720b425f726573706f6e646572")
}

fn session() -> Vec<u8> {
    hex("7e4b4791d6a8ef019b936c79fb7f2c57")
}

fn ana() -> Secret {
    Secret::exactly(point("da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08"))
}

fn ben() -> Secret {
    Secret::exactly(point("d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d"))
}

const OF_ANA: &str = "d6bac480f2c386c394efc7c47adb9925dcd2630b64f240c50f8d0eec482b9157";
const OF_BEN: &str = "3ea7e0b19560d7c0b0f5734f63b955286dfa8232b5ebe63324e2d9e7433f7258";

#[test]
fn the_generator_is_the_draft_s() {
    let zeros = "00".repeat(100);
    let expected = format!(
        "11435061636552697374726574746f3235350850617373776f726464{zeros}180b415f696e69746961746f720b425f726573706f6e646572107e4b4791d6a8ef019b936c79fb7f2c57"
    );
    assert_eq!(HEXLOWER.encode(&generator_string(WORD, &channel(), &session())), expected);
    let point = generator(WORD, &channel(), &session()).compress();
    let expected = "222b6b195fe84b1652badb6f6a3ae3d24341e7306967f0b8115b40d5698c7e56";
    assert_eq!(HEXLOWER.encode(point.as_bytes()), expected);
}

#[test]
fn both_shares_the_common_point_and_the_key_are_the_draft_s() {
    let of = |secret: &Secret| HEXLOWER.encode(&secret.share(WORD, &channel(), &session()));
    assert_eq!((of(&ana()), of(&ben())), (OF_ANA.to_owned(), OF_BEN.to_owned()));
    let common = ana().common(&point(OF_BEN)).unwrap();
    assert_eq!(
        HEXLOWER.encode(&common[..]),
        "80b69a8a76457ab6a4d7f887a4bf6b55a2f80ac19c333f917a05fc9887c8b40f"
    );
    assert_eq!(ben().common(&point(OF_ANA)).unwrap(), common);
    let (a, b) = (Share { point: point(OF_ANA), data: A }, Share { point: point(OF_BEN), data: B });
    assert_eq!(
        HEXLOWER.encode(&transcript(&a, &b)),
        "20d6bac480f2c386c394efc7c47adb9925dcd2630b64f240c50f8d0eec482b915703414461203ea7e0b19560d7c0b0f5734f63b955286dfa8232b5ebe63324e2d9e7433f725803414462"
    );
    assert_eq!(
        HEXLOWER.encode(&key(&session(), &common, &a, &b)[..]),
        "b69effbf61b51d56401c0f65601abe428de8206feaaf0e32198896dcae7b35cd2b38950a39dfd5d4a79164614c2984f7daa460b588c1e80c3fa2068af7900447"
    );
}

#[test]
fn a_good_point_is_multiplied_and_the_draft_s_bad_ones_are_refused() {
    let secret = Secret::exactly(point("7cd0e075fa7955ba52c02759a6c90dbbfc10e6d40aea8d283e407d88cf538a05"));
    let common = secret.common(&point("2c3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c"));
    assert_eq!(
        common.map(|common| HEXLOWER.encode(&common[..])).as_deref(),
        Some("7c13645fe790a468f62c39beb7388e541d8405d1ade69d1778c5fe3e7f6b600e")
    );
    let no_point = point("2b3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c");
    assert_eq!(secret.common(&no_point), None);
    assert_eq!(secret.common(&[0; 32]), None, "the neutral element");
}

#[test]
fn lengths_stand_before_their_parts() {
    assert_eq!(lv_cat(&[b"1234", b"5", b"", b"678"]), hex("043132333401350003363738"));
    let long = vec![7; 300];
    assert_eq!(lv_cat(&[&long])[..3], [0xac, 0x02, 7], "a length of two bytes");
}

//! Code and layers from S3, as moto serves it; and what a user reads where there is none.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};
use testkit::moto::Moto;

use crate::engine_process::{Answer, Engine, Request, zip_of};
use crate::functions::ROLE;

/// Its S3.
struct S3(Moto);

impl S3 {
    fn start(test: &str) -> Option<Self> {
        Moto::start(test).map(Self)
    }

    /// Puts something; the version that it became.
    fn put(&self, path: &str, body: &[u8]) -> Option<String> {
        let mut stream = TcpStream::connect(&self.0.at).unwrap();
        // moto asks for a signature, and does not look at it.
        let head = format!(
            "PUT {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\
             Content-Length: {}\r\n\r\n",
            self.0.at,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        let line = answer.lines().find(|line| line.to_lowercase().starts_with("x-amz-version-id:"))?;
        Some(line.split_once(':').unwrap().1.trim().to_owned())
    }
}

fn create(engine: &Engine, name: &str, code: &Value) -> Answer {
    let body = json!({
        "FunctionName": name, "Runtime": "provided.al2023", "Handler": "h", "Role": ROLE, "Code": code,
    });
    engine.send(&Request::new("POST", "/2015-03-31/functions").body(body.to_string()))
}

fn update(engine: &Engine, name: &str, code: &Value) -> Answer {
    let path = format!("/2015-03-31/functions/{name}/code");
    engine.send(&Request::new("PUT", &path).body(code.to_string()))
}

#[track_caller]
fn check_refused(answer: &Answer, text: &str) {
    let (code, message) = answer.error();
    let expected = (400, "InvalidParameterValueException", text);
    assert_eq!((answer.status, code.as_str(), message.as_str()), expected);
}

fn digest(zip: &[u8]) -> String {
    use sha2::Digest as _;
    data_encoding::BASE64.encode(&sha2::Sha256::digest(zip))
}

#[test]
fn code_and_layers_come_from_a_bucket() {
    let Some(s3) = S3::start("code_from_s3::code_and_layers_come_from_a_bucket") else { return };
    let engine = Engine::start_with(&["--endpoint", &format!("s3={}", s3.0.url())]);
    let zip = |text: &str| zip_of(&[("bootstrap", 0o755, text.as_bytes())]);
    let (old, new) = (zip("#!/bin/sh\n# old\n"), zip("#!/bin/sh\n# new\n"));
    s3.put("/bucket", b"");
    let versioned = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                     <Status>Enabled</Status></VersioningConfiguration>";
    s3.put("/bucket?versioning", versioned.as_bytes());
    let first = s3.put("/bucket/folder/a%20key.zip", &old).unwrap();
    s3.put("/bucket/folder/a%20key.zip", &new).unwrap();

    let object = json!({"S3Bucket": "bucket", "S3Key": "folder/a key.zip"});
    let mut older = object.clone();
    older["S3ObjectVersion"] = first.into();
    let created = create(&engine, "fn", &object);
    assert_eq!((created.status, &created.json()["CodeSha256"]), (201, &json!(digest(&new))), "{}", created.json());
    assert_eq!(created.json()["CodeSize"], new.len());
    engine.wait_until_settled("fn");
    let updated = update(&engine, "fn", &older);
    assert_eq!((updated.status, &updated.json()["CodeSha256"]), (200, &json!(digest(&old))), "{}", updated.json());
    engine.wait_until_settled("fn");
    let body = json!({"Content": older}).to_string();
    let published = engine.send(&Request::new("POST", "/2018-10-31/layers/l/versions").body(body));
    assert_eq!((published.status, &published.json()["Content"]["CodeSha256"]), (201, &json!(digest(&old))));

    // Recorded: test_lambda_code_location_s3_errors.
    let no_bucket = "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified \
                     bucket does not exist";
    let no_key =
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.";
    for (bucket, key, text) in [("some-other-bucket", "k", no_bucket), ("bucket", "none", no_key)] {
        let code = json!({"S3Bucket": bucket, "S3Key": key});
        check_refused(&create(&engine, "other", &code), text);
        check_refused(&update(&engine, "fn", &code), text);
    }
    s3.put("/bucket/text", b"this is a text and no zip");
    let unzip = "Could not unzip uploaded file. Please check your file, then try to upload again.";
    check_refused(&create(&engine, "other", &json!({"S3Bucket": "bucket", "S3Key": "text"})), unzip);
    let both = json!({"S3Bucket": "bucket", "S3Key": "text", "ZipFile": "UEs="});
    let twice = "Please do not provide other FunctionCode parameters when providing a ZipFile.";
    check_refused(&create(&engine, "other", &both), twice);
}

#[test]
fn without_an_object_store_the_error_says_what_to_do() {
    let code = json!({"S3Bucket": "bucket", "S3Key": "k"});
    // Nothing of this machine's own settings reaches the engine, and AWS's address of metadata is not asked.
    let alone = [("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_CONFIG_FILE", "/none"), ("HOME", "/none")];
    let engine = Engine::start_among(&[], &alone);
    check_refused(
        &create(&engine, "fn", &code),
        "Error occurred while GetObject. Unable to locate credentials. What to do: give the engine credentials for S3 \
         (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE), or name another service with --endpoint s3=URL.",
    );
    // Port 1 is nobody's.
    let engine = Engine::start_among(&["--endpoint", "s3=http://127.0.0.1:1"], &[("AWS_MAX_ATTEMPTS", "1")]);
    let (_, text) = create(&engine, "fn", &code).error();
    assert!(
        text.starts_with(
            "Error occurred while GetObject. Could not connect to the endpoint URL: \"http://127.0.0.1:1\""
        ) && text.contains("--endpoint s3=URL"),
        "{text}"
    );
}

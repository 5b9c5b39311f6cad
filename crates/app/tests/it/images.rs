//! Container images through the built engine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::engine_process::{Answer, Engine, Request, lambd, poll};
use crate::functions::ROLE;

fn create(engine: &Engine, members: &Value) -> Answer {
    let mut body = json!({
        "FunctionName": "fn", "Role": ROLE, "PackageType": "Image", "Code": { "ImageUri": "oci:/no/such/layout" },
    });
    for (member, value) in members.as_object().unwrap() {
        body[member] = value.clone();
    }
    engine.send(&Request::new("POST", "/2015-03-31/functions").body(body.to_string()))
}

#[track_caller]
fn check_refused(answer: &Answer, text: &str) {
    let (code, message) = answer.error();
    assert_eq!((answer.status, code.as_str(), message.as_str()), (400, "InvalidParameterValueException", text));
}

/// At level `process`, where functions share the machine's folders, and no function is left behind.
#[test]
fn where_functions_have_no_root_of_their_own_an_image_is_refused_and_says_what_it_takes() {
    let engine = Engine::start_with(&["--isolation", "process", "--isolation-min", "process"]);
    let together = "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.";
    check_refused(&create(&engine, &json!({ "Handler": "app.handler" })), together);
    check_refused(&create(&engine, &json!({ "Runtime": "python3.12" })), together);
    check_refused(
        &create(&engine, &json!({ "Code": { "ZipFile": "eA==" } })),
        "Please provide ImageUri when updating a function with packageType Image.",
    );
    let refused = create(&engine, &json!({}));
    let (code, message) = refused.error();
    assert_eq!((refused.status, code.as_str()), (400, "InvalidParameterValueException"));
    assert!(message.contains("isolation level process") && message.contains("rootless or sandbox"), "{message}");
    let found = engine.send(&Request::new("GET", "/2015-03-31/functions/fn"));
    assert_eq!(found.status, 404);
}

/// A layout with one layer: a shell, what it needs of this machine, and a runtime written in it.
fn layout(folder: &Path) -> Option<PathBuf> {
    const BOOTSTRAP: &str = r#"#!/bin/bash
while :; do
  exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API/://}"
  printf 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n' >&3
  length=0
  while IFS= read -r line <&3; do
    line=${line%$'\r'}
    [ -z "$line" ] && break
    name=${line%%:*}; value=${line#*: }
    [ "${name,,}" = lambda-runtime-aws-request-id ] && id=$value
    [ "${name,,}" = content-length ] && length=$value
  done
  IFS= read -r -N "$length" event <&3
  passwd=none; [ -e /etc/passwd ] && passwd=there
  usr=none; [ -e /usr/share ] && usr=there
  echo x >/tmp/file && read -r file </tmp/file
  written=no; { echo x >/file; } 2>/dev/null && written=yes
  body="{\"event\":$event,\"word\":\"$1\",\"of\":\"$OF_IMAGE\",\"pwd\":\"$PWD\",\"passwd\":\"$passwd\",\"usr\":\"$usr\",\"tmp\":\"$file\",\"root written\":\"$written\",\"user\":$UID}"
  printf 'POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n%s' "$id" "${#body}" "$body" >&3
  IFS= read -r line <&3
  exec 3>&-
done
"#;
    let root = folder.join("root");
    let libraries = Command::new("ldd").arg("/bin/bash").output().ok()?;
    let libraries = String::from_utf8(libraries.stdout).ok()?;
    let needed = libraries.split_whitespace().filter(|word| word.starts_with('/')).chain(["/bin/bash"]);
    for path in needed {
        let place = root.join(path.strip_prefix('/').unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(path, place).ok()?;
    }
    fs::create_dir(root.join("app")).unwrap();
    fs::write(root.join("app/run"), BOOTSTRAP).unwrap();
    fs::set_permissions(root.join("app/run"), fs::Permissions::from_mode(0o755)).unwrap();
    let layer = folder.join("layer.tar");
    let packed =
        Command::new("tar").args(["--numeric-owner", "-C"]).arg(&root).arg("-cf").arg(&layer).arg(".").status();
    assert!(packed.unwrap().success());

    let layout = folder.join("layout");
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let keep = |bytes: &[u8]| {
        let whole = folder.join("blob");
        fs::write(&whole, bytes).unwrap();
        let sum = Command::new("sha256sum").arg(&whole).output().unwrap();
        let digest = String::from_utf8(sum.stdout).unwrap()[..64].to_owned();
        fs::rename(whole, blobs.join(&digest)).unwrap();
        json!({ "digest": format!("sha256:{digest}"), "size": bytes.len() })
    };
    let described = |bytes: &[u8], kind: &str| {
        let mut about = keep(bytes);
        about["mediaType"] = format!("application/vnd.oci.image.{kind}").into();
        about
    };
    let layer = described(&fs::read(layer).unwrap(), "layer.v1.tar");
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let configuration = json!({
        "architecture": architecture, "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [layer["digest"]] },
        "config": { "Entrypoint": ["/app/run"], "Cmd": ["own"], "WorkingDir": "/app", "Env": ["OF_IMAGE=set"] },
    });
    let configuration = described(configuration.to_string().as_bytes(), "config.v1+json");
    let manifest = json!({ "schemaVersion": 2, "config": configuration, "layers": [layer] });
    let manifest = described(manifest.to_string().as_bytes(), "manifest.v1+json");
    fs::write(layout.join("index.json"), json!({ "schemaVersion": 2, "manifests": [manifest] }).to_string()).unwrap();
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    Some(layout)
}

/// What runs sees its image and nothing of this machine (AWS developer guide, images-create, configuration-images).
#[test]
fn at_level_sandbox_an_image_runs_in_a_root_of_its_own() {
    const NAME: &str = "images::at_level_sandbox_an_image_runs_in_a_root_of_its_own";
    let doctor = lambd().args(["doctor", "--isolation", "sandbox", "--isolation-min", "sandbox"]).output().unwrap();
    if !doctor.status.success() {
        return testkit::skip::without_kernel(NAME, &String::from_utf8_lossy(&doctor.stdout));
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(layout) = layout(folder.path()) else {
        return testkit::skip::without_program(NAME, "this machine's shell and its libraries cannot be copied");
    };
    let engine = Engine::start_with(&["--isolation", "sandbox", "--isolation-min", "sandbox"]);
    let uri = format!("oci:{}", layout.display());
    let created = create(&engine, &json!({ "Code": { "ImageUri": uri }, "ImageConfig": { "Command": ["other"] } }));
    assert_eq!(created.status, 201, "{}", created.json());
    let about = || engine.send(&Request::new("GET", "/2015-03-31/functions/fn/configuration")).json();
    poll("the image is there", || (about()["State"] == "Active").then_some(()));
    let invoked = engine.send(&Request::new("POST", "/2015-03-31/functions/fn/invocations").body("{\"a\":1}"));
    let expected = json!({
        "event": {"a": 1}, "word": "other", "of": "set", "pwd": "/app", "passwd": "none", "usr": "none", "tmp": "x",
        "root written": "no", "user": 993,
    });
    assert_eq!(invoked.json(), expected, "{}", engine.log());
}

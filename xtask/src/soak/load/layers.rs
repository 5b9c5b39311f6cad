//! Layers: published, used by a function, removed while it uses them.

use anyhow::{Context as _, Result, ensure};
use data_encoding::BASE64;
use serde_json::{Value as Json, json};

use super::{Client, RUNTIME, TIMEOUT, expect};
use crate::api::{self, Api};

const LAYERS: &str = "/2018-10-31/layers";

impl Client {
    /// Two layers and a function that has both: the later one covers the earlier one. What a function uses stays for it
    /// when its layer goes, before or after the next start of an environment.
    pub(super) fn use_layers(&mut self) -> Result<()> {
        let below = self.publish_layer("below", "below")?;
        let text = format!("layer {}", self.chance.below(1_000_000));
        let above = self.publish_layer("above", &text)?;
        let name = format!("{}-layered", self.own[0].name);
        let more = json!({"Timeout": TIMEOUT, "Layers": [below, above]});
        let body = api::new_function(&name, RUNTIME, &self.load.package(), &more);
        expect(&self.api.send("POST", api::FUNCTIONS, &body)?, 201)?;
        self.settle(&name)?;
        let goes_first = self.chance.below(2) == 0;
        if goes_first {
            self.delete_layer(&above)?;
        }
        self.reads_layer(&name, &text)?;
        if !goes_first {
            self.delete_layer(&above)?;
            self.reads_layer(&name, &text)?;
        }
        let target = format!("{}/configuration", api::function(&name));
        let body = json!({"Layers": [below]}).to_string();
        expect(&self.api.send("PUT", &target, body.as_bytes())?, 200)?;
        self.settle(&name)?;
        self.reads_layer(&name, "below")?;
        expect(&self.api.send("DELETE", &api::function(&name), b"")?, 204)?;
        // Half of them stay for the end.
        if self.chance.below(2) == 0 {
            self.delete_layer(&below)?;
        }
        Ok(())
    }

    /// Publishes a version and answers its ARN.
    fn publish_layer(&mut self, which: &str, text: &str) -> Result<String> {
        let zip = api::zip(&[("layer.txt", text.as_bytes())]);
        let body = json!({"Content": {"ZipFile": BASE64.encode(&zip)}, "CompatibleRuntimes": [RUNTIME]}).to_string();
        let layer = format!("{}-{which}", self.own[0].name);
        let answer = self.api.send("POST", &format!("{LAYERS}/{layer}/versions"), body.as_bytes())?;
        expect(&answer, 201)?;
        let published = answer.json();
        let arn = published["LayerVersionArn"].as_str().with_context(|| format!("no ARN in {published}"))?;
        let shown = self.api.send("GET", &version_path(arn)?, b"")?;
        expect(&shown, 200)?;
        ensure!(shown.json()["LayerVersionArn"] == arn, "another version is shown: {}", shown.json());
        Ok(arn.to_owned())
    }

    fn delete_layer(&mut self, arn: &str) -> Result<()> {
        let path = version_path(arn)?;
        expect(&self.api.send("DELETE", &path, b"")?, 204)?;
        expect(&self.api.send("GET", &path, b"")?, 404)
    }

    /// The function finds this text in `/opt`.
    fn reads_layer(&mut self, function: &str, text: &str) -> Result<()> {
        let answer = self.api.send("POST", &api::invocations(function), br#"{"do":"layer"}"#)?;
        expect(&answer, 200)?;
        ensure!(answer.json() == text, "{} is in /opt, not {text:?}", answer.json());
        Ok(())
    }
}

/// Removes all layers that are there.
pub(super) fn remove_all(api: &mut Api) -> Result<()> {
    loop {
        let page = api.send("GET", LAYERS, b"")?.json();
        let layers = page["Layers"].as_array().context("a page without layers")?.clone();
        if layers.is_empty() {
            return Ok(());
        }
        for layer in &layers {
            let name = layer["LayerName"].as_str().context("a layer without a name")?;
            let page = api.send("GET", &format!("{LAYERS}/{name}/versions"), b"")?.json();
            for version in page["LayerVersions"].as_array().map_or(&[] as &[Json], Vec::as_slice) {
                let arn = version["LayerVersionArn"].as_str().context("a version without an ARN")?;
                expect(&api.send("DELETE", &version_path(arn)?, b"")?, 204)?;
            }
        }
    }
}

/// `arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION` as a path.
fn version_path(arn: &str) -> Result<String> {
    let mut parts = arn.rsplitn(3, ':');
    let (version, name) = (parts.next(), parts.next());
    let (version, name) = version.zip(name).with_context(|| format!("no ARN: {arn}"))?;
    Ok(format!("{LAYERS}/{name}/versions/{version}"))
}

//! What travels with a function: tags, its policy, its settings for events. All go with it.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Client, expect};
use crate::api;

impl Client {
    pub(super) fn tag(&mut self) -> Result<()> {
        let name = self.some_function()?;
        let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{name}");
        let target = format!("/2017-03-31/tags/{}", arn.replace(':', "%3A"));
        let value = self.chance.below(1_000_000).to_string();
        let body = json!({"Tags": {"kept": value, "removed": "soon"}}).to_string();
        expect(&self.api.send("POST", &target, body.as_bytes())?, 204)?;
        expect(&self.api.send("DELETE", &format!("{target}?tagKeys=removed"), b"")?, 204)?;
        let shown = self.api.send("GET", &target, b"")?;
        expect(&shown, 200)?;
        ensure!(shown.json()["Tags"] == json!({"kept": value}), "other tags are shown: {}", shown.json());
        Ok(())
    }

    pub(super) fn permit(&mut self) -> Result<()> {
        let name = self.some_function()?;
        let target = format!("{}/policy", api::function(&name));
        let sid = format!("s{}", self.chance.below(1_000_000));
        let body = json!({
            "StatementId": sid,
            "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com",
            "SourceArn": "arn:aws:s3:::bucket",
        })
        .to_string();
        expect(&self.api.send("POST", &target, body.as_bytes())?, 201)?;
        let shown = self.api.send("GET", &target, b"")?;
        expect(&shown, 200)?;
        ensure!(shown.json()["Policy"].as_str().is_some_and(|policy| policy.contains(&sid)), "{}", shown.json());
        // Always: a policy has 20 KB.
        expect(&self.api.send("DELETE", &format!("{target}/{sid}"), b"")?, 204)?;
        expect(&self.api.send("GET", &target, b"")?, 404)
    }

    pub(super) fn configure_events(&mut self) -> Result<()> {
        let name = self.some_function()?;
        let target = format!("/2019-09-25/functions/{name}/event-invoke-config");
        let attempts = self.chance.below(3);
        let body = json!({"MaximumRetryAttempts": attempts, "MaximumEventAgeInSeconds": 60}).to_string();
        expect(&self.api.send("PUT", &target, body.as_bytes())?, 200)?;
        let shown = self.api.send("GET", &target, b"")?;
        expect(&shown, 200)?;
        ensure!(shown.json()["MaximumRetryAttempts"] == attempts, "something else is shown: {}", shown.json());
        // Half of them go with their function.
        if self.chance.below(2) == 0 {
            expect(&self.api.send("DELETE", &target, b"")?, 204)?;
            expect(&self.api.send("GET", &target, b"")?, 404)?;
        }
        Ok(())
    }
}

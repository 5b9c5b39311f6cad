//! Reserved and provisioned concurrency: put, over-run, removed.

use std::sync::Barrier;

use anyhow::{Result, bail, ensure};
use serde_json::json;

use super::{ASK_EVERY, Client, RUNTIME, SETTLE_MAX, TIMEOUT, expect};
use crate::api::{self, Answer, Api};
use crate::process::now;

/// Calls at once where one may run.
const CALLS: usize = 4;
const RESERVED: &str = "ReservedFunctionConcurrentInvocationLimitExceeded";

impl Client {
    /// A function that may run once at a time, is called more often, may not run at all, and then as it likes.
    pub(super) fn reserve(&mut self) -> Result<()> {
        let name = self.new_function("reserved")?;
        let target = format!("/2017-10-31{}/concurrency", function_path(&name));
        self.put_reserved(&target, 1)?;
        let (answered, refused) = self.call_at_once(&name, &api::invocations(&name))?;
        ensure!(answered.len() == 1 && refused == CALLS - 1, "{} of {CALLS} ran where one may", answered.len());
        self.put_reserved(&target, 0)?;
        throttled(&self.api.send("POST", &api::invocations(&name), b"{}")?)?;
        // Half of them keep their reservation until they go: what was reserved is the account's again.
        if self.chance.below(2) == 0 {
            expect(&self.api.send("DELETE", &target, b"")?, 204)?;
            let (answered, _) = self.call_at_once(&name, &api::invocations(&name))?;
            ensure!(answered.len() == CALLS, "{} of {CALLS} ran where all may", answered.len());
        }
        expect(&self.api.send("DELETE", &api::function(&name), b"")?, 204)
    }

    /// A version with an environment that is kept ready; a second call at once spills over. All of a reservation that is
    /// provisioned leaves nothing for `$LATEST`.
    pub(super) fn provision(&mut self) -> Result<()> {
        let name = self.new_function("provisioned")?;
        let answer = self.api.send("POST", &format!("{}/versions", api::function(&name)), b"{}")?;
        expect(&answer, 201)?;
        let target = format!("/2019-09-30{}/provisioned-concurrency?Qualifier=1", function_path(&name));
        let body = json!({"ProvisionedConcurrentExecutions": 1}).to_string();
        expect(&self.api.send("PUT", &target, body.as_bytes())?, 202)?;
        self.wait_until_provisioned(&target)?;
        let invoked = format!("{}?Qualifier=1", api::invocations(&name));
        let answer = self.api.send("POST", &invoked, br#"{"do":"kind"}"#)?;
        expect(&answer, 200)?;
        ensure!(answer.json() == "provisioned-concurrency", "{} ran, and nothing else did", answer.json());
        let (kinds, _) = self.call_at_once(&name, &invoked)?;
        let provisioned = kinds.iter().filter(|kind| *kind == "\"provisioned-concurrency\"").count();
        // None where the environment has answered the call before and not come to its end.
        ensure!(kinds.len() == CALLS && provisioned <= 1, "{kinds:?} ran where one is provisioned");
        self.put_reserved(&format!("/2017-10-31{}/concurrency", function_path(&name)), 1)?;
        throttled(&self.api.send("POST", &api::invocations(&name), b"{}")?)?;
        // Half of them keep it until they go.
        if self.chance.below(2) == 0 {
            expect(&self.api.send("DELETE", &target, b"")?, 204)?;
            expect(&self.api.send("GET", &target, b"")?, 404)?;
        }
        expect(&self.api.send("DELETE", &api::function(&name), b"")?, 204)
    }

    fn new_function(&mut self, what: &str) -> Result<String> {
        let name = format!("{}-{what}", self.own[0].name);
        let body = api::new_function(&name, RUNTIME, &self.load.package(), &json!({"Timeout": TIMEOUT}));
        expect(&self.api.send("POST", api::FUNCTIONS, &body)?, 201)?;
        self.settle(&name)?;
        Ok(name)
    }

    fn put_reserved(&mut self, target: &str, number: u32) -> Result<()> {
        let body = json!({"ReservedConcurrentExecutions": number}).to_string();
        let answer = self.api.send("PUT", target, body.as_bytes())?;
        expect(&answer, 200)?;
        ensure!(answer.json()["ReservedConcurrentExecutions"] == number, "{} was put", answer.json());
        Ok(())
    }

    fn wait_until_provisioned(&mut self, target: &str) -> Result<()> {
        let begun = now();
        while begun.elapsed() < SETTLE_MAX {
            let shown = self.api.send("GET", target, b"")?.json();
            match shown["Status"].as_str() {
                Some("READY") => return Ok(()),
                Some("IN_PROGRESS") => {}
                _ => bail!("provisioning ends with {shown}"),
            }
            std::thread::sleep(ASK_EVERY);
        }
        bail!("{target} is never ready")
    }

    /// Calls at once that all take a second: what those answer that run, and how many are refused.
    fn call_at_once(&self, name: &str, target: &str) -> Result<(Vec<String>, usize)> {
        let gate = Barrier::new(CALLS);
        let call = || {
            let mut api = Api::of(&self.load.endpoint);
            gate.wait();
            api.send("POST", target, br#"{"do":"nap"}"#)
        };
        let answers: Vec<Result<Answer>> = std::thread::scope(|scope| {
            let calls: Vec<_> = (0..CALLS).map(|_| scope.spawn(call)).collect();
            calls.into_iter().map(|call| call.join().expect("a call does not panic")).collect()
        });
        let (mut answered, mut refused) = (Vec::new(), 0);
        for answer in answers {
            let answer = answer?;
            if answer.status == 429 {
                throttled(&answer)?;
                refused += 1;
            } else {
                expect(&answer, 200)?;
                ensure!(answer.header("x-amz-function-error").is_none(), "{name} failed: {}", answer.json());
                answered.push(String::from_utf8_lossy(&answer.body).into_owned());
            }
        }
        Ok((answered, refused))
    }
}

/// `/functions/NAME`, without the date.
fn function_path(name: &str) -> String {
    format!("/functions/{name}")
}

/// Refused because the reservation is used up.
fn throttled(answer: &Answer) -> Result<()> {
    expect(answer, 429)?;
    ensure!(answer.json()["Reason"] == RESERVED, "refused for another reason: {}", answer.json());
    Ok(())
}

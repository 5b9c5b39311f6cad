//! How well functions are isolated, as people and programs are told.
//!
//! Never here: finding it out.

use serde_json::{Map, Value, json};

/// For programs: `lambd doctor --output json` and `GET /_lambd/isolation`.
pub(crate) fn as_json(report: &sandbox::Report) -> Map<String, Value> {
    let features: Map<_, _> =
        report.features.iter().map(|(name, strength)| ((*name).to_owned(), strength.to_string().into())).collect();
    let refused: Map<_, _> =
        report.refused.iter().map(|(level, reason)| (level.to_string(), reason.as_str().into())).collect();
    let told = json!({
        "isolation": report.level.to_string(),
        "features": features,
        "refused": refused,
        "too_old_for": report.missing,
        "paths": report.view.to_string(),
        "network": report.network.to_string(),
        "cgroup": report.cgroup.unwrap_or("none"),
    });
    match told {
        Value::Object(told) => told,
        other => unreachable!("{other} is an object"),
    }
}

/// For people: `lambd doctor`, a line each.
pub(crate) fn as_lines(report: &sandbox::Report) -> Vec<String> {
    let mut lines = vec![format!("isolation: {}", report.level)];
    lines.extend(report.features.iter().map(|(name, strength)| format!("  {name} {strength}")));
    lines.extend(report.refused.iter().map(|(level, reason)| format!("not {level}: {reason}")));
    lines.extend(report.missing.iter().map(|what| format!("the kernel's Landlock is too old for {what}")));
    lines.push(format!("paths: functions see {}", report.view));
    lines.push(format!("network: {}", report.network));
    lines.push(format!("cgroup: {}", report.cgroup.unwrap_or("none")));
    lines
}

/// At the start, plainly.
pub(crate) fn log(report: &sandbox::Report) {
    if report.level >= sandbox::Isolation::Rootless {
        tracing::info!("{report}");
    } else {
        tracing::warn!("{report}");
    }
    match report.level {
        sandbox::Isolation::Process => tracing::warn!(
            "functions are not isolated: they can do whatever the engine's user can; run only code that you trust"
        ),
        sandbox::Isolation::Confined => tracing::warn!(
            "functions share the host's network (net none): they reach whatever this machine reaches, its own services \
             included"
        ),
        sandbox::Isolation::Rootless | sandbox::Isolation::Sandbox => {}
    }
}

//! What becomes of asynchronous events: what is asked for, and how it is shown.

use domain::arn::FunctionArn;
use domain::names::Qualifier;
use domain::settings::EventInvokeConfig;
use engine::functions::{Destinations, EventInvokeEdit};

use crate::generated::types;
use crate::model::EpochSeconds;

/// Reads what Put and Update set. An empty destination is none (service model, pattern of `DestinationArn`).
pub(crate) fn edit(
    retries_max: Option<i32>,
    age_seconds_max: Option<i32>,
    destinations: Option<types::DestinationConfig>,
) -> EventInvokeEdit {
    let given = |arn: Option<String>| arn.filter(|arn| !arn.is_empty());
    EventInvokeEdit {
        retries_max: retries_max.and_then(|number| number.try_into().ok()),
        age_seconds_max: age_seconds_max.and_then(|number| number.try_into().ok()),
        destinations: destinations.map(|config| Destinations {
            on_success: given(config.on_success.and_then(|target| target.destination)),
            on_failure: given(config.on_failure.and_then(|target| target.destination)),
        }),
    }
}

/// Shows it: always qualified, both destinations always there (recorded: `test_lambda_eventinvokeconfig_lifecycle`).
pub(crate) fn shown(
    arn: &FunctionArn,
    qualifier: &Qualifier,
    config: EventInvokeConfig,
) -> types::FunctionEventInvokeConfig {
    let number = |number: Option<u32>| number.and_then(|number| i32::try_from(number).ok());
    types::FunctionEventInvokeConfig {
        last_modified: Some(EpochSeconds(config.modified_at)),
        function_arn: Some(arn.qualified(qualifier)),
        maximum_retry_attempts: number(config.retries_max),
        maximum_event_age_in_seconds: number(config.age_seconds_max),
        destination_config: Some(types::DestinationConfig {
            on_success: Some(types::OnSuccess { destination: config.on_success }),
            on_failure: Some(types::OnFailure { destination: config.on_failure }),
        }),
    }
}

//! Event source mappings: what is asked for, and how they are shown.

use domain::Refusal;
use domain::arn::Home;
use domain::mapping::{Edit, Mapping, QueueArn, Refused};
use engine::event_source_mappings::NewMapping;

use crate::generated::types;
use crate::model::EpochSeconds;

/// A parameter, and whether it was given with a meaning.
type Given = (&'static str, bool);

/// Reads what CreateEventSourceMapping is given.
///
/// # Errors
/// The name or the source cannot be read, or a parameter is not one of queues.
pub(crate) fn new_mapping(home: &Home, asked: types::CreateEventSourceMappingRequest) -> Result<NewMapping, Refusal> {
    let target = home.read(&asked.function_name, None)?;
    match &asked.event_source_arn {
        // Before all else: what is said of parameters is said of those of queues.
        Some(arn) => drop(QueueArn::read(arn)?),
        None if asked.self_managed_event_source.is_some() => {
            return Err(Refused::SourceNotBuilt { what: "self-managed Kafka" }.into());
        }
        None => return Err(Refused::UnknownSource.into()),
    }
    // Recorded: test_create_starting_position_validation_exceptions[sqs].
    check_of_queues(&[
        ("StartingPosition", asked.starting_position.is_some() || asked.starting_position_timestamp.is_some()),
        ("ParallelizationFactor", asked.parallelization_factor.is_some()),
        ("DestinationConfig", is_destination(asked.destination_config.as_ref())),
        ("MaximumRecordAgeInSeconds", asked.maximum_record_age_in_seconds.is_some()),
        ("BisectBatchOnFunctionError", asked.bisect_batch_on_function_error == Some(true)),
        ("MaximumRetryAttempts", asked.maximum_retry_attempts.is_some()),
        ("TumblingWindowInSeconds", asked.tumbling_window_in_seconds.is_some()),
        ("Topics", asked.topics.is_some_and(|topics| !topics.is_empty())),
        ("Queues", asked.queues.is_some_and(|queues| !queues.is_empty())),
        ("SourceAccessConfigurations", asked.source_access_configurations.is_some_and(|all| !all.is_empty())),
        ("SelfManagedEventSource", asked.self_managed_event_source.is_some()),
        ("AmazonManagedKafkaEventSourceConfig", asked.amazon_managed_kafka_event_source_config.is_some()),
        ("SelfManagedKafkaEventSourceConfig", asked.self_managed_kafka_event_source_config.is_some()),
        ("DocumentDBEventSourceConfig", asked.document_db_event_source_config.is_some()),
    ])?;
    check_built(
        "CreateEventSourceMapping",
        &[
            ("KMSKeyArn", asked.kms_key_arn.is_some_and(|arn| !arn.is_empty())),
            ("MetricsConfig", asked.metrics_config.is_some_and(|config| is_any(config.metrics.as_ref()))),
            ("LoggingConfig", asked.logging_config.is_some_and(|config| config.system_log_level.is_some())),
            ("ProvisionedPollerConfig", asked.provisioned_poller_config.is_some()),
        ],
    )?;
    let edit = Edit {
        target: None,
        is_enabled: asked.enabled,
        batch_size: number(asked.batch_size),
        window_seconds: number(asked.maximum_batching_window_in_seconds),
        filters: asked.filter_criteria.map(filters),
        reports_failures: asked.function_response_types.map(|types| !types.is_empty()),
        concurrency_max: asked.scaling_config.map(|config| number(config.maximum_concurrency)),
    };
    let tags = asked.tags.map(|tags| tags.0).unwrap_or_default();
    Ok(NewMapping { source: asked.event_source_arn, target, edit, tags })
}

/// Reads what UpdateEventSourceMapping is given.
///
/// # Errors
/// The name cannot be read, or a parameter is not one of queues.
pub(crate) fn edit(home: &Home, asked: types::UpdateEventSourceMappingRequest) -> Result<Edit, Refusal> {
    check_of_queues(&[
        ("ParallelizationFactor", asked.parallelization_factor.is_some()),
        ("DestinationConfig", is_destination(asked.destination_config.as_ref())),
        ("MaximumRecordAgeInSeconds", asked.maximum_record_age_in_seconds.is_some()),
        ("BisectBatchOnFunctionError", asked.bisect_batch_on_function_error == Some(true)),
        ("MaximumRetryAttempts", asked.maximum_retry_attempts.is_some()),
        ("TumblingWindowInSeconds", asked.tumbling_window_in_seconds.is_some()),
        ("SourceAccessConfigurations", asked.source_access_configurations.is_some_and(|all| !all.is_empty())),
        ("AmazonManagedKafkaEventSourceConfig", asked.amazon_managed_kafka_event_source_config.is_some()),
        ("SelfManagedKafkaEventSourceConfig", asked.self_managed_kafka_event_source_config.is_some()),
        ("DocumentDBEventSourceConfig", asked.document_db_event_source_config.is_some()),
    ])?;
    check_built(
        "UpdateEventSourceMapping",
        &[
            ("KMSKeyArn", asked.kms_key_arn.is_some_and(|arn| !arn.is_empty())),
            ("MetricsConfig", asked.metrics_config.is_some_and(|config| is_any(config.metrics.as_ref()))),
            ("LoggingConfig", asked.logging_config.is_some_and(|config| config.system_log_level.is_some())),
            ("ProvisionedPollerConfig", asked.provisioned_poller_config.is_some()),
        ],
    )?;
    Ok(Edit {
        target: asked.function_name.map(|name| home.read(&name, None)).transpose()?,
        is_enabled: asked.enabled,
        batch_size: number(asked.batch_size),
        window_seconds: number(asked.maximum_batching_window_in_seconds),
        filters: asked.filter_criteria.map(filters),
        reports_failures: asked.function_response_types.map(|types| !types.is_empty()),
        // "To remove the configuration, pass an empty value" (API reference, ScalingConfig).
        concurrency_max: asked.scaling_config.map(|config| number(config.maximum_concurrency)),
    })
}

/// Shows one (recorded: `test_event_source_mapping_default_batch_size`, `test_report_batch_item_failures`,
/// `test_sqs_event_filter`).
pub(crate) fn shown(home: &Home, mapping: &Mapping) -> types::EventSourceMappingConfiguration {
    let settings = &mapping.settings;
    let number = |number: u32| i32::try_from(number).ok();
    let filters: Vec<types::Filter> =
        settings.filters.iter().map(|filter| types::Filter { pattern: Some(filter.text().to_owned()) }).collect();
    let reports = settings.reports_failures.then_some(types::FunctionResponseType::ReportBatchItemFailures);
    types::EventSourceMappingConfiguration {
        uuid: Some(mapping.id.to_string()),
        batch_size: number(settings.batch_size.0),
        maximum_batching_window_in_seconds: number(settings.window_seconds),
        event_source_arn: Some(mapping.queue.to_string()),
        filter_criteria: (!filters.is_empty()).then_some(types::FilterCriteria { filters: Some(filters) }),
        scaling_config: settings.concurrency_max.map(|most| types::ScalingConfig { maximum_concurrency: number(most) }),
        function_arn: Some(mapping.target.as_invoked()),
        last_modified: Some(EpochSeconds(mapping.modified_at)),
        state: Some(mapping.state.as_str().to_owned()),
        state_transition_reason: Some("USER_INITIATED".to_owned()),
        function_response_types: Some(reports.into_iter().collect()),
        event_source_mapping_arn: Some(mapping.arn(home)),
        ..types::EventSourceMappingConfiguration::default()
    }
}

fn check_of_queues(given: &[Given]) -> Result<(), Refusal> {
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((parameter, _)) => Err(Refused::NotOfQueues { parameter }.into()),
        None => Ok(()),
    }
}

fn check_built(operation: &str, given: &[Given]) -> Result<(), Refusal> {
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((parameter, _)) => Err(Refusal::NotBuilt { what: format!("{operation} with {parameter}") }),
        None => Ok(()),
    }
}

fn is_any<T>(list: Option<&Vec<T>>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}

/// Whether one is named; tools send empty ones.
fn is_destination(config: Option<&types::DestinationConfig>) -> bool {
    let is_named = |arn: Option<&String>| arn.is_some_and(|arn| !arn.is_empty());
    config.is_some_and(|config| {
        is_named(config.on_success.as_ref().and_then(|target| target.destination.as_ref()))
            || is_named(config.on_failure.as_ref().and_then(|target| target.destination.as_ref()))
    })
}

/// Validated before: it is not negative.
fn number(given: Option<i32>) -> Option<u32> {
    given.and_then(|number| number.try_into().ok())
}

/// A filter without a pattern is none that can be read.
fn filters(criteria: types::FilterCriteria) -> Vec<String> {
    let texts = criteria.filters.unwrap_or_default().into_iter().map(|filter| filter.pattern.unwrap_or_default());
    texts.collect()
}

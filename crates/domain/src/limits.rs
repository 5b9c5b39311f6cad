//! Every quota, once, with its unit in the name. Source: AWS developer guide, gettingstarted-limits, unless said.
//!
//! Never here: the check that uses it.

/// Bytes in a mebibyte.
pub const MIB: u64 = 1024 * 1024;

/// Processes and threads of an execution environment (AWS developer guide, gettingstarted-limits).
pub const PROCESSES: u64 = 1024;

/// Characters in a function's bare name (recorded: `function_name_too_long`).
pub const FUNCTION_NAME_CHARS: usize = 64;
/// Bytes of a request body of the legacy InvokeAsync (AWS developer guide, gettingstarted-limits of its time).
pub const INVOKE_ASYNC_REQUEST_BYTES: usize = 262_144;
/// Bytes of a synchronous request body.
pub const SYNC_REQUEST_BYTES: usize = 6_291_456;
/// Bytes of an asynchronous request body.
pub const ASYNC_REQUEST_BYTES: usize = 1_048_576;
/// Bytes that a function may answer in one piece (recorded: `test_lambda_too_large_response`).
pub const SYNC_RESPONSE_BYTES: usize = 6_291_556;
/// Bytes that a function may stream (200 MB).
pub const STREAMED_RESPONSE_BYTES: usize = 209_715_200;
/// Bytes of a request that creates or updates a function (recorded: `test_oversized_request_create_lambda`).
pub const CODE_REQUEST_BYTES: usize = 70_167_211;
/// Bytes of a zip sent in a request (recorded: `test_oversized_zipped_create_lambda`).
pub const ZIPPED_BYTES: u64 = 52_428_800;
/// Bytes of a function's code and layers, unpacked (recorded: `test_oversized_unzipped_lambda`).
pub const UNZIPPED_BYTES: u64 = 262_144_000;
/// Layers of one function (LocalStack: `test_layer_function_quota_exception`).
pub const LAYERS: usize = 5;
/// Characters in a layer's bare name (service model, `LayerNameOrArn`).
pub const LAYER_NAME_CHARS: usize = 140;
/// Bytes of the policy of a function or of a layer version.
pub const POLICY_BYTES: usize = 20_480;
/// Entries of a zip. AWS publishes no number; this bounds the work that one request can cause.
pub const ZIP_ENTRIES: usize = 100_000;
/// Bytes of a function's environment variables as JSON (recorded: `test_large_environment_variables_fails`).
pub const VARIABLES_BYTES: usize = 4_096;
/// Tags of one function (recorded: `test_tag_limits`).
pub const TAGS: usize = 50;
/// Bytes of base64 in the client context header (service model, documentation of `ClientContext`).
pub const CLIENT_CONTEXT_BYTES: usize = 3_583;
/// Bytes of the request line and all headers together.
pub const REQUEST_HEAD_BYTES: usize = 1_048_576;
/// Bytes of the log tail before base64 (service model, documentation of `LogType`).
pub const LOG_TAIL_BYTES: usize = 4_096;

/// Seconds that a function's initialisation may take before it is repeated inside the invocation
/// (AWS developer guide, lambda-runtime-environment).
pub const INIT_SECONDS: u64 = 10;
/// Seconds that a function may run by default, and at most.
pub const TIMEOUT_SECONDS_DEFAULT: u32 = 3;
/// See [`TIMEOUT_SECONDS_DEFAULT`].
pub const TIMEOUT_SECONDS_MAX: u32 = 900;
/// MB of memory by default, at least and at most.
pub const MEMORY_MB_DEFAULT: u32 = 128;
/// See [`MEMORY_MB_DEFAULT`].
pub const MEMORY_MB_MAX: u32 = 10_240;
/// MB of `/tmp` by default, and at most.
pub const STORAGE_MB_DEFAULT: u32 = 512;
/// See [`STORAGE_MB_DEFAULT`].
pub const STORAGE_MB_MAX: u32 = 10_240;

/// How often a chain of invocations passes one function before it is stopped (AWS developer guide,
/// invocation-recursion: "approximately 16 times").
pub const LOOP_PASSES: u32 = 16;
/// How many functions a lineage counts. AWS publishes no number; this bounds the trace header.
pub const LINEAGE_FUNCTIONS: usize = 128;
/// Bytes of all code packages of an account in a region: 75 GiB.
pub const CODE_STORAGE_BYTES: u64 = 80_530_636_800;

/// Concurrent executions of an account in a region.
pub const ACCOUNT_CONCURRENCY: u32 = 1_000;
/// Of them, those that no function can reserve (AWS developer guide, configuration-concurrency).
pub const UNRESERVED_CONCURRENCY_MIN: u32 = 100;
/// Synchronous calls of a function that may begin in a second, for each unit of its concurrency.
pub const REQUESTS_PER_SECOND_AND_UNIT: u128 = 10;
/// Seconds that the initialisation of a provisioned environment may take at least and at most; in between, as long as
/// the function's timeout (AWS developer guide, lambda-runtime-environment).
pub const PROVISIONED_INIT_SECONDS_MIN: u64 = 130;
/// See [`PROVISIONED_INIT_SECONDS_MIN`].
pub const PROVISIONED_INIT_SECONDS_MAX: u64 = 900;
/// Items that a listing returns by default, and at most (API reference, `ListFunctions`).
pub const PAGE_ITEMS: u32 = 50;

/// Extensions of a function, external and internal (source of AWS's runtime interface emulator).
pub const EXTENSIONS: usize = 10;

/// Further attempts of a failed event by default, and at most (AWS developer guide, invocation-async-error-handling).
pub const EVENT_RETRIES: u32 = 2;
/// Seconds that an event may become old, by default and at most (the same).
pub const EVENT_AGE_SECONDS_MAX: u32 = 21_600;
/// Seconds that events of a throttled function wait at most until the next try (the same).
pub const EVENT_BACK_OFF_SECONDS_MAX: u64 = 300;
/// Hours that a delivery is tried. AWS gives up without a word; ours is kept as failed.
pub const DELIVERY_HOURS: u64 = 6;

/// Filters of one event source mapping (AWS developer guide, invocation-eventfiltering; more by request only).
pub const MAPPING_FILTERS: usize = 5;
/// Messages of a batch that needs no window to be gathered (recorded: `test_event_source_mapping_default_batch_size`).
pub const BATCH_WITHOUT_WINDOW: u32 = 10;
/// Batches of a mapping that run at a time, to begin with (AWS developer guide, services-sqs-scaling).
pub const MAPPING_CONCURRENCY: u32 = 5;
/// See [`MAPPING_CONCURRENCY`]: at most.
pub const MAPPING_CONCURRENCY_MAX: u32 = 1_000;
/// See [`MAPPING_CONCURRENCY`]: how many more in a minute, while there are messages.
pub const MAPPING_CONCURRENCY_PER_MINUTE: u32 = 300;
/// Event source mappings of this engine. AWS publishes no number; this bounds what is kept in memory and polled.
pub const MAPPINGS: usize = 1_000;
/// Items that a listing of event source mappings returns by default, and at most (API reference,
/// `ListEventSourceMappings`).
pub const MAPPING_PAGE_ITEMS: u32 = 100;

// Of queues: Amazon SQS developer guide, quotas-queues and quotas-messages; the last four are our own.

/// Characters in the name of a queue.
pub const QUEUE_NAME_CHARS: usize = 80;
/// Bytes of a message, its attributes included, and of all messages of a batch together.
pub const MESSAGE_BYTES: usize = 1_048_576;
/// Attributes of a message.
pub const MESSAGE_ATTRIBUTES: usize = 10;
/// Entries of a batch, and messages of one ReceiveMessage.
pub const QUEUE_BATCH: usize = 10;
/// Messages of a queue that somebody has received and not deleted.
pub const QUEUE_IN_FLIGHT: u32 = 120_000;
/// Seconds that a message may stay with who received it.
pub const VISIBILITY_SECONDS: u32 = 43_200;
/// Seconds between two PurgeQueue of one queue.
pub const PURGE_SECONDS: u64 = 60;
/// Tags of a queue.
pub const QUEUE_TAGS: usize = 50;
/// Queues.
pub const QUEUES: usize = 10_000;
/// Messages in one queue.
pub const QUEUE_MESSAGES: u64 = 10_000_000;
/// Calls of ReceiveMessage that wait for messages at once.
pub const QUEUE_POLLS: usize = 4_096;
/// Bytes of a request to a queue: a batch, in which JSON or a form writes a byte as up to three.
pub const QUEUE_REQUEST_BYTES: usize = 4 * 1_048_576;

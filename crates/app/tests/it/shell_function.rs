//! Functions in bash, by the Runtime API alone: they need no interpreter but the shell.

/// A bootstrap that runs `init` once, then `handle` for each event: it reads the event and prints the answer. `$event`
/// is the file that holds the event, in the function's own `/tmp`.
pub(crate) fn bootstrap(init: &str, handle: &str) -> String {
    format!("#!/bin/bash\nevent=$(mktemp) reply=$(mktemp)\n{init}\nhandle() {{\n{handle}\n}}\n{RUNTIME}")
}

const RUNTIME: &str = r#"
exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API/://}"
runtime=/2018-06-01/runtime/invocation
# Reads an answer of the Runtime API: its body into the file named, the request id of an event into `id`.
read_answer() {
  local line length=0
  while IFS= read -r -u 3 line; do
    line=${line%$'\r'}
    case "${line,,}" in
      '') head -c "$length" <&3 >"$1"; return ;;
      lambda-runtime-aws-request-id:*) id=${line#*: } ;;
      content-length:*) length=${line#*: } ;;
    esac
  done
  exit 1 # the Runtime API is gone
}
while true; do
  printf 'GET %s/next HTTP/1.1\r\nHost: runtime\r\n\r\n' "$runtime" >&3
  read_answer "$event"
  handle <"$event" >"$reply"
  printf 'POST %s/%s/response HTTP/1.1\r\nHost: runtime\r\nContent-Length: %s\r\n\r\n' \
    "$runtime" "$id" "$(wc -c <"$reply")" >&3
  cat "$reply" >&3
  read_answer /dev/null
done
"#;

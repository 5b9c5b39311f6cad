#!/bin/bash
# The function of the soak, by the Runtime API alone. It does what its event asks for; package NUMBER.
exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API/://}"
answer() {
  length=0
  while IFS= read -r -u 3 line; do
    line=${line%$'\r'}
    case "${line,,}" in
      '') return ;;
      lambda-runtime-aws-request-id:*) id=${line#*: } ;;
      content-length:*) length=${line#*: } ;;
    esac
  done
  exit 1
}
post() {
  printf 'POST %s/%s/%s HTTP/1.1\r\nHost: runtime\r\nContent-Length: %s\r\n\r\n' "$runtime" "$id" "$1" "$(stat -c %s "$2")" >&3
  cat "$2" >&3
  answer
  head -c "$length" <&3 >/dev/null
}
runtime=/2018-06-01/runtime/invocation
case "$INIT" in
  exit) exit 4 ;;
  fail)
    body='{"errorType":"Soak.Init","errorMessage":"as asked"}'
    printf 'POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: runtime\r\nContent-Length: %s\r\n\r\n%s' "${#body}" "$body" >&3
    answer
    exit 1 ;;
esac
while true; do
  printf 'GET %s/next HTTP/1.1\r\nHost: runtime\r\n\r\n' "$runtime" >&3
  answer
  head -c "$length" <&3 >/tmp/event
  read -r event </tmp/event
  case "$event" in
    '{"do":"fail"'*)
      echo '{"errorType":"Soak.Failure","errorMessage":"as asked"}' >/tmp/answer
      post error /tmp/answer ;;
    '{"do":"exit"'*) exit 3 ;;
    '{"do":"crash"'*) kill -SEGV $$ ;;
    '{"do":"hang"'*) sleep 1000 ;;
    '{"do":"half"'*)
      printf 'POST %s/%s/response HTTP/1.1\r\nHost: runtime\r\nContent-Length: 1000\r\n\r\n"half' "$runtime" "$id" >&3
      exit 0 ;;
    '{"do":"log"'*)
      for ((line = 0; line < 500; line++)); do echo "line $line of what the function has to say about itself"; done
      post response /tmp/event ;;
    '{"do":"large"'*)
      { printf '"'; head -c 2000000 /dev/zero | tr '\0' x; printf '"'; } >/tmp/answer
      post response /tmp/answer ;;
    '{"do":"stream"'*)
      head -c 65536 /dev/zero >/tmp/piece
      printf 'POST %s/%s/response HTTP/1.1\r\nHost: runtime\r\nTransfer-Encoding: chunked\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n\r\n' "$runtime" "$id" >&3
      for ((piece = 0; piece < 40; piece++)); do
        printf '10000\r\n' >&3
        cat /tmp/piece >&3
        printf '\r\n' >&3
      done
      printf '0\r\n\r\n' >&3
      answer
      head -c "$length" <&3 >/dev/null ;;
    '{"do":"layer"'*)
      { printf '"'; cat /opt/layer.txt; printf '"'; } >/tmp/answer
      post response /tmp/answer ;;
    '{"do":"kind"'* | '{"do":"nap"'*)
      case "$event" in *nap*) sleep 1 ;; esac
      printf '"%s"' "$AWS_LAMBDA_INITIALIZATION_TYPE" >/tmp/answer
      post response /tmp/answer ;;
    '{"do":"leave"'*)
      # A process that outlives the invocation and has left its session, and a file that nobody removes.
      setsid sleep 100000 >/dev/null 2>&1 &
      cp /tmp/event "/tmp/left-$RANDOM"
      post response /tmp/event ;;
    *) post response /tmp/event ;;
  esac
done

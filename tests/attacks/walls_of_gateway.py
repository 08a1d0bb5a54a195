"""The walls of the unprivileged programs: what the gateway believes of a worker, what the loader opens and reads for a
tenant, what control stores; and how each is taken out."""
from mutation import Mutation


def cut(name, file, old, new="", red=(), **options):
    return Mutation(name, ((file, old, new),), frozenset(red), **options)


def both(name, edits, red, **options):
    return Mutation(name, edits, frozenset(red), **options)


def frame(name, old, new, red, **options):
    return cut(f"frame.{name}", "proto/frames.cc", old, new, red, **options)


def stream(name, old, red):
    return cut(f"stream.{name}", "gateway/stream.cc", old, "", red)


WAITS = "return std::optional<ParsedFrame>();"

FRAMES = (
    frame("type", 'if (type >= kFrameTypes) return invalid("frame type");', f"if (type >= kFrameTypes) {WAITS}",
          {"W01/first_bad_header", "W07/frame"}),
    frame("flags", 'if ((flags & ~rule.flags) != 0 || reserved != 0) return invalid("frame flags");', "", {"W07/frame"}),
    frame("stream", 'if ((stream != 0) != rule.on_stream) return invalid("frame stream");', "", {"W22"}),
    frame("largest", 'if (length > rule.max_payload) return make_error(ErrorCode::kTooLarge, "frame payload");', "",
          {"W02", "W03"}),
    frame("smallest", 'if (length < rule.min_payload) return invalid("frame payload");', "", {"W04/shorter_than_its_type"}),
    frame("greeting", "hello.version != kRequestProtocolVersion ||\n      hello.window_bytes == 0 ||", "",
          {"W07/greeting"}),
    frame("greeting-reserved", "if (!reader.done() || reserved != 0 || hello.version", "if (!reader.done() || hello.version",
          {"W22"}),
    cut("frame.whole-head", "proto/heads.cc", 'if (!reader.done()) return invalid("head");',
        "", {"W04/shorter_than_it_says"}, together=("frame.whole-field",), covered="a field that is cut off is refused"),
    cut("frame.whole-field", "proto/heads.cc", "if (!reader.ok() || field.name.empty())", "if (field.name.empty())",
        {"W04/shorter_than_it_says"}, together=("frame.whole-head",), covered="a head that is cut off is refused"),
    cut("frame.time", "gateway/channel.cc",
        "  } else if (frames > 0 || !frame_deadline_.is_set()) {\n    frame_deadline_.set(bench_.turn.now() + kFrameTime);\n",
        "  } else {\n", {"W05", "W06/inside_a_frame"}),
    cut("frame.time-of-the-first-byte", "gateway/channel.cc", "} else if (frames > 0 || !frame_deadline_.is_set()) {",
        "} else {", {"W06/inside_a_frame"}),
    cut("frame.open-stream", "gateway/channel.cc", 'return violated("stream is not open");', "return {};",
        {"W08/not_open"}),
)

STREAMS = (
    stream("credit", '  if (bytes > stream.receive_window) return violation("DATA beyond its credit");\n', {"W10"}),
    stream("head-first", '  if (stream.phase != StreamPhase::kResponded) return violation("DATA before RESPONSE");\n',
           {"W09/body before head"}),
    stream("one-start", '      if (stream.phase != StreamPhase::kOpened) return violation("second START");\n',
           {"W09/two starts"}),
    stream("one-head", '      if (stream.phase == StreamPhase::kResponded) return violation("second RESPONSE");\n',
           {"W09/two heads"}),
    cut("stream.end-after-head", "gateway/stream.cc",
        "if (stream.phase != StreamPhase::kResponded && stream.listener != nullptr) {", "if (false) {",
        {"W09/end before head"}),
    stream("reasons", "  if (reason < AbortReason::kAppFailedAfterHead) return violation(\"ABORT with a reason of the gateway\");\n",
           {"W09/an abort of the gateway's"}),
    cut("stream.window", "gateway/stream.cc", "if (bytes > proto::kMaxWindowBytes - stream.send_window)", "if (false)",
        {"W09/too much credit"}),
    cut("stream.room", "gateway/channel.cc",
        "  if (output_.size() >= kChannelHighWaterBytes) {\n    congested_ = true;\n    return 0;\n  }\n  return std::min"
        "<std::size_t>(stream.send_window, kChannelHighWaterBytes - output_.size());", "  return 1 << 20;", {"W11"}),
    cut("channel.end", "gateway/worker.cc",
        "  if (end == ChannelEnd::kClosed) dying_.set(bench_.turn.now() + kDyingTime);\n", "", {"W27/seen_at_once"}),
    cut("request.time", "gateway/exchange.cc", "  worker_->report(proto::FaultKind::kRequestTimeout);\n", "", {"W25"}),
    cut("request.deadline", "gateway/exchange.cc", "  if (end > bench_.turn.now()) {\n", "  if (true) {\n",
        {"W06/whole_frames", "W25"}),
    cut("request.runs-once", "gateway/exchange.cc",
        "  const bool never_started = phase == StreamPhase::kOpened;\n", "  const bool never_started = true;\n", {"W30/not_given_to_the_next"}),
    cut("queue.cap", "gateway/app.cc", "  if (share_.queued() >= limits_.queue) return kQueueFull;\n", "", {"X21"}),
    cut("connections.share", "gateway/client_counts.cc", "if (count >= limit_) return false;", "",
        {"tests/system/test_gateway.py::test_a_client_gets_its_share_of_the_connections_and_not_one_more"}),
)

RESPONSES = (
    both("response.status", (
        ("proto/heads.cc", "  if (head.status < 200 || head.status > 599) return invalid(\"RESPONSE status\");\n", ""),
        ("gateway/response_rules.cc", '  if (head.status < kFirstStatus || head.status > kLastStatus) return invalid("response '
         'status");\n', "")), {"W12", "W18"}),
    cut("response.names", "gateway/response_rules.cc",
        '    if (field.number == 0 && !is_token(field.name)) return invalid("response field name");\n', "", {"W13/token"}),
    cut("response.values", "gateway/response_rules.cc",
        '    if (count_value_bytes(field.value) != field.value.size()) return invalid("response field value");\n', "", {"W14"}),
    cut("response.length", "gateway/response_rules.cc",
        'if (checked.has_length || !length) return invalid("response Content-Length");', "if (!length) continue;",
        {"W15/malformed"}),
    cut("response.too-long", "gateway/exchange_answer.cc",
        "const bool too_much = has_length_ && bytes.size() > length_left_;", "const bool too_much = false;",
        {"W15/not_kept"}),
    cut("response.too-short", "gateway/exchange_answer.cc", "if (has_length_ && length_left_ > 0) {", "if (false) {",
        {"W15/not_kept"}),
    cut("response.framing", "gateway/http1_writer.cc", "    if (is_dropped_response_field(field.name)) continue;\n    append_field(", "    append_field(",
        {"W16"}),
    cut("response.fields", "proto/heads.cc",
        '  if (count > kMaxFields) return make_error(ErrorCode::kTooLarge, "head fields");\n', "", {"W17"}),
    cut("response.field-size", "proto/heads.cc", "if (size > kMaxFieldBytes || total > kMaxHeadBytes)", "if (false)",
        {"W13/64_kib"}),
    cut("response.no-body", "gateway/exchange_answer.cc", "  if (bodyless_) bytes = {};\n", "", {"W19"}),
    cut("response.unread-body", "gateway/http1_connection_answer.cc",
        "    case Http1Request::Body::kMore: break;\n", "    case Http1Request::Body::kMore:\n      start_next();\n      return;\n",
        {"W26"}),
    cut("response.joined-chunks", "gateway/http1_writer.cc", "if (chunk_bytes_ == 0) {", "if (true) {",
        {"W28/no_more_memory"}),
)

STATIC_FILES = (
    cut("static.links", "gateway/static_files.cc",
        "RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV", "0", {"X08", "X09"}),
    cut("static.owner", "gateway/static_files.cc",
        '  if (status.st_uid != owner_uid) return refuse(403, "not owned by the tenant", proto::Cause::kFileOwner);\n', "", {"S19"},
        together=("static.one-link",), covered="a file with several names is refused"),
    cut("static.one-link", "gateway/static_files.cc",
        '  if (status.st_nlink > 1) return refuse(403, "has several hard links", proto::Cause::kFileLinks);\n', "", {"S19"}, together=("static.owner",),
        covered="the owner of the file is asked too"),
)

LOADER = (
    both("manifest.links", (
        ("config/safe_open.cc", "RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;", "RESOLVE_NO_MAGICLINKS;"),
        ("config/safe_open.cc", "O_RDONLY | O_NONBLOCK | O_NOFOLLOW |", "O_RDONLY | O_NONBLOCK |")), {"S01", "S18"}),
    cut("manifest.below-the-home", "config/safe_open.cc", "kAnywhere | RESOLVE_BENEATH", "kAnywhere", {"S01", "S04", "S18"},
        together=("manifest.links",), covered="nothing leaves the home without a link or .., which are refused before"),
    cut("manifest.regular", "config/safe_open.cc",
        '  if (opened.ok() && !is_regular_file(opened.value().get())) return Problem{"is not a regular file"};\n', "",
        {"S02"}, together=("manifest.regular-again",), covered="the reader asks again"),
    cut("manifest.regular-again", "config/source_text.cc", "if (!is_regular_file(fd)) {", "if (false) {", {"S02"},
        together=("manifest.regular",), covered="it was asked when it was opened"),
    cut("manifest.waits-for-nobody", "config/safe_open.cc", "O_RDONLY | O_NONBLOCK | O_NOFOLLOW |", "O_RDONLY | O_NOFOLLOW |",
        {"S02"}),
    cut("manifest.size", "config/source_text.cc", "read_all(fd, proto::kMaxConfigurationBytes)",
        "read_all(fd, std::size_t{1} << 36)", {"S03"}),
    cut("manifest.known-keys", "config/map_reader.cc", "std::string sentence = unknown_key_sentence(key.name, table);",
        "continue;\n    std::string sentence = unknown_key_sentence(key.name, table);", {"S05"}),
    cut("manifest.depth", "config/yaml_tree.cc", "if (levels_.size() == kMaxYamlDepth) {", "if (false) {", {"S06"}),
    cut("identity.groups-of-the-host", "config/tenant_schema.cc", "if (!privileged.empty()) {", "if (false) {",
        {"S22/group_of_the_system"}, together=("identity.registry", "identity.gate"),
        covered="the supervisor asks again"),
)

CONTROL = (
    cut("log.budget", "control/app_log.cc", "if (!budget_.try_take(cost, clock_.now())) {", "if (false) {", {"S08/many lines"}),
    cut("log.line-cap", "control/line_splitter.cc", "const std::size_t room = kMaxLineBytes - held_.size();",
        "const std::size_t room = part.size();", {"S08/one line"}),
    cut("log.escape", "control/app_log.cc", "            escape_line(line)});", "            std::string(line)});",
        {"S09", "W29"}),
)

WALLS = (*FRAMES, *STREAMS, *RESPONSES, *STATIC_FILES, *LOADER, *CONTROL)

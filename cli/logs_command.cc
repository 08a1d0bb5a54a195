#include "cli/logs_command.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "base/printable.h"
#include "cli/api_client.h"
#include "cli/report.h"

namespace rowhouse::cli {
namespace {

// As a value in a query (RFC 3986).
std::string query_value(const std::string& text) {
  const std::unique_ptr<char, decltype(&curl_free)> escaped(
      curl_easy_escape(nullptr, text.c_str(), static_cast<int>(text.size())), &curl_free);
  return escaped == nullptr ? "" : escaped.get();
}

std::string logs_path(const Invocation& invocation) {
  const LogOptions& logs = invocation.logs;
  std::string path = fmt::format("/v1/apps/{}/logs?stream={}&lines={}{}", invocation.subject.text(),
                                 logs.stream == LogOptions::Stream::kAccess ? "access" : "app", logs.lines,
                                 logs.end == LogOptions::End::kFollow ? "&follow=1" : "");
  const std::pair<const char*, const std::string*> filters[] = {{"since", &logs.since}, {"until", &logs.until},
                                                                {"level", &logs.level}, {"request", &logs.request},
                                                                {"text", &logs.text}};
  for (const auto& [name, value] : filters) {
    if (!value->empty()) path += fmt::format("&{}={}", name, query_value(*value));
  }
  return path;
}

// Prints whole lines out of pieces.
class LinePrinter {
 public:
  explicit LinePrinter(const Invocation& invocation) : invocation_(invocation) {}
  void take(std::string_view bytes) {
    held_ += bytes;
    std::size_t begin = 0;
    for (std::size_t end = held_.find('\n'); end != std::string::npos; end = held_.find('\n', begin)) {
      print_line(std::string_view(held_).substr(begin, end - begin));
      begin = end + 1;
    }
    held_.erase(0, begin);
    // A reader at a pipe sees each line as it comes.
    std::fflush(stdout);
  }

 private:
  void print_line(std::string_view line) const {
    if (invocation_.output == Output::kJson) {
      print(std::string(line) + "\n");
    } else {
      print(render_log_line(line, invocation_.logs.form));
    }
  }
  const Invocation& invocation_;
  std::string held_;
};

}  // namespace

std::string render_log_line(std::string_view json_line, LogOptions::Form form) {
  const auto line = nlohmann::json::parse(json_line, nullptr, false);
  const std::string text = text_at(line, "text");
  const std::string stream = text_at(line, "stream");
  // An access line that is an object has JSON's escapes; undone they would make it none.
  const bool is_object = stream == "access" && text.starts_with('{');
  if (form == LogOptions::Form::kRaw && !is_object) return unescape_line(text) + "\n";
  if (stream == "access") return text + "\n";
  const std::uint64_t worker = number_at(line, "worker");
  return fmt::format("{} {}[{}.{}] {} {}\n", text_at(line, "at"), worker == 0 ? "steward" : "worker",
                     number_at(line, "generation"), worker, stream == "rowhouse" ? "rowhouse:" : stream,
                     text);
}

ExitCode run_logs(const Invocation& invocation) {
  LinePrinter printer(invocation);
  const Reply reply = ApiClient(invocation.socket).stream(logs_path(invocation), [&](std::string_view bytes) {
    printer.take(bytes);
  });
  return exit_code_of(reply) == ExitCode::kDone ? ExitCode::kDone : report_failure(reply, invocation.output);
}

}  // namespace rowhouse::cli

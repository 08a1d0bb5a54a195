#include "cli/api_client.h"

#include <curl/curl.h>

#include <cstring>
#include <memory>

namespace rowhouse::cli {
namespace {

constexpr long kConnectTimeoutMs = 5000;

struct CloseCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};
using Curl = std::unique_ptr<CURL, CloseCurl>;

struct Transfer {
  CURL* curl;
  const ApiClient::BytesCallback& on_bytes;
  Reply& reply;
};

std::size_t on_body(char* bytes, std::size_t, std::size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  long status = 0;
  curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &status);
  if (status == 200 && transfer.on_bytes) {
    transfer.on_bytes(std::string_view(bytes, size));
    return size;
  }
  // Less than was given makes curl give up.
  if (transfer.reply.body.size() + size > ApiClient::kMaxBodyBytes) return 0;
  transfer.reply.body.append(bytes, size);
  return size;
}

const char* word_of(ApiClient::Method method) {
  if (method == ApiClient::Method::kPut) return "PUT";
  if (method == ApiClient::Method::kPatch) return "PATCH";
  return "DELETE";
}

std::string describe_failure(CURL* curl, CURLcode result, const std::string& socket) {
  long system_errno = 0;
  curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &system_errno);
  if (result == CURLE_COULDNT_CONNECT) {
    const char* reason = system_errno != 0 ? std::strerror(static_cast<int>(system_errno)) : "no connection";
    return "the daemon cannot be reached at " + socket + ": " + reason;
  }
  return "the daemon at " + socket + " ended the conversation: " + curl_easy_strerror(result);
}

}  // namespace

Reply ApiClient::get(const std::string& path) const {
  return perform(Method::kGet, path, "", {});
}
Reply ApiClient::post(const std::string& path) const {
  return perform(Method::kPost, path, "", {});
}
Reply ApiClient::stream(const std::string& path, const BytesCallback& on_bytes) const {
  return perform(Method::kGet, path, "", on_bytes);
}

Reply ApiClient::order(Method method, const std::string& path, const std::string& body) const {
  return perform(method, path, body, {});
}

Reply ApiClient::perform(Method method, const std::string& path, const std::string& body,
                         const BytesCallback& on_bytes) const {
  Reply reply;
  const Curl curl(curl_easy_init());
  if (curl == nullptr) return {0, "", "libcurl could not be started"};
  CURL* handle = curl.get();
  Transfer transfer{handle, on_bytes, reply};
  const std::string url = "http://rowhouse" + path;
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, socket_.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  if (method != Method::kGet) {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
  }
  if (method != Method::kGet && method != Method::kPost) curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, word_of(method));
  const CURLcode result = curl_easy_perform(handle);
  if (result == CURLE_OK) {
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &reply.status);
  } else {
    reply.failure = describe_failure(handle, result, socket_);
  }
  return reply;
}

}  // namespace rowhouse::cli

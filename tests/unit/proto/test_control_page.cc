// PROTOCOL.control.md against the headers: numbers, fields, descriptors and permits.
#include <doctest/doctest.h>

#include <map>
#include <regex>
#include <string>

#include "message_list.h"
#include "page.h"

namespace rowhouse::proto::test {
namespace {

const std::string kPage = read_source("proto/PROTOCOL.control.md");

// message_types.h as text: the names that the compiler forgets.
std::map<std::string, unsigned> header_numbers() {
  const std::string header = read_source("proto/message_types.h");
  static const std::regex kNumber(R"(\n  k(\w+) = (\d+),)");
  std::map<std::string, unsigned> numbers;
  for (std::sregex_iterator it(header.begin(), header.end(), kNumber), end; it != end; ++it) {
    numbers[(*it)[1]] = static_cast<unsigned>(std::stoul((*it)[2]));
  }
  return numbers;
}

std::map<unsigned, PageMessage> messages_by_number() {
  std::map<unsigned, PageMessage> messages;
  for (const PageMessage& message : page_messages(kPage)) messages[message.number] = message;
  return messages;
}

Peer peer_named(const std::string& name) {
  static const std::map<std::string, Peer> kPeers = {
      {"keeper", Peer::kKeeper},   {"supervisor", Peer::kSupervisor}, {"loader", Peer::kLoader},
      {"steward", Peer::kSteward}, {"gateway", Peer::kGateway},       {"control", Peer::kControl}};
  return kPeers.at(name);
}

// What is_permitted allows, as names.
std::set<std::string> permitted(Peer from, Phase phase) {
  std::set<std::string> names;
  for (const auto& [name, number] : header_numbers()) {
    if (is_permitted(from, phase, static_cast<MessageType>(number))) names.insert(name);
  }
  return names;
}

TEST_CASE("the page lists every message of message_types.h under its number, and no other") {
  std::map<std::string, unsigned> on_page;
  for (const PageMessage& message : page_messages(kPage)) on_page[message.name] = message.number;
  CHECK(on_page.size() > 50);
  CHECK(on_page == header_numbers());
}

TEST_CASE("every message type has a struct") {
  std::set<unsigned> with_struct;
  for_each_message([&]<typename M>() { with_struct.insert(static_cast<unsigned>(M::kType)); });
  for (const auto& [name, number] : header_numbers()) {
    CAPTURE(name);
    CHECK(with_struct.contains(number));
  }
  CHECK(with_struct.size() == header_numbers().size());
}

TEST_CASE("the page's tables are the fields of the structs, in their order") {
  const auto messages = messages_by_number();
  for_each_message([&]<typename M>() {
    const PageMessage& message = messages.at(static_cast<unsigned>(M::kType));
    CAPTURE(message.name);
    CHECK(message.types == field_types<M>());
  });
}

TEST_CASE("the page's number of descriptors is the codec's") {
  const auto messages = messages_by_number();
  for_each_message([&]<typename M>() {
    const PageMessage& message = messages.at(static_cast<unsigned>(M::kType));
    CAPTURE(message.name);
    CHECK(message.descriptors == M::kDescriptors);
  });
}

TEST_CASE("the permit table is what is_permitted answers") {
  std::size_t rows = 0;
  for (const auto& [key, names] : page_permits(kPage)) {
    const auto& [sender, phase] = key;
    CAPTURE(sender);
    CAPTURE(phase);
    REQUIRE((phase == "both" || phase == "setup" || phase == "running"));
    if (phase != "running") CHECK(permitted(peer_named(sender), Phase::kSetup) == names);
    if (phase != "setup") CHECK(permitted(peer_named(sender), Phase::kRunning) == names);
    ++rows;
  }
  CHECK(rows == 9);
}

TEST_CASE("the reserved number and free numbers may come from nobody") {
  for (const Peer peer : {Peer::kKeeper, Peer::kSupervisor, Peer::kLoader, Peer::kSteward, Peer::kGateway,
                          Peer::kControl}) {
    for (const unsigned number : {0u, 9u, 20u, 75u, 79u, 103u, 136u, 151u, 32768u, 65535u}) {
      CAPTURE(number);
      CHECK_FALSE(is_permitted(peer, Phase::kSetup, static_cast<MessageType>(number)));
      CHECK_FALSE(is_permitted(peer, Phase::kRunning, static_cast<MessageType>(number)));
    }
  }
}

}  // namespace
}  // namespace rowhouse::proto::test

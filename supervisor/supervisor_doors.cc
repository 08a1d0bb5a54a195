// The host file's `listen`: opened at the start, taken over from an earlier supervisor, changed at a reload.
//
// A reload opens and stores what is new before anything else changes, so that an address which cannot be had refuses
// it as a whole.  Then the list in the store is replaced, the gateways are told, and what is no more is given up.  A
// supervisor that comes after this one in the middle finds sockets that no entry has, or entries that no gateway was
// told of; both are mended when it takes over.
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "supervisor/directories.h"
#include "supervisor/supervisor.h"

namespace rowhouse::supervisor {
namespace {

using proto::KeptKind;
using proto::ListenRecord;

proto::KeptRecord kept_as(const Door& door) {
  return {KeptKind::kListener, 0, 0, door.number};
}

void remove_socket_file(const ListenRecord& listen) {
  if (!listen.path.view().empty()) ::unlink(listen.path.str().c_str());
}

}  // namespace

Status Supervisor::open_doors(const std::vector<ListenRecord>& listen, std::vector<Door>& doors, std::string& problem) {
  std::uint32_t number = next_number(doors);
  if (gateways_ != nullptr) number = std::max(number, next_number(gateways_->doors()));
  for (const ListenRecord& entry : listen) {
    RH_ASSIGN(UniqueFd socket, open_listener(entry, problem));
    doors.push_back({number++, std::move(socket), entry});
    RH_TRY(keeper_link_.keep(kept_as(doors.back()), doors.back().socket.get()));
  }
  problem.clear();
  return {};
}

void Supervisor::close_doors(const std::vector<Door>& doors) {
  for (const Door& door : doors) {
    remove_socket_file(door.listen);
    keeper_link_.discard(kept_as(door));
  }
}

// What a reload needs and does not have yet; the sentence when it cannot be had, and then nothing is changed.
std::optional<std::string> Supervisor::open_new_doors(const std::vector<ListenRecord>& wanted, std::vector<Door>& fresh) {
  std::string problem;
  const Status opened = open_doors(missing_doors(gateways_->doors(), wanted), fresh, problem);
  if (opened.ok()) return std::nullopt;
  close_doors(fresh);
  if (problem.empty()) problem = "a listening socket cannot be stored: " + describe(opened.error());
  return "listen: " + problem;
}

// REQUIRES: `fresh` has what open_new_doors opened for `wanted`.
void Supervisor::change_doors(const std::vector<ListenRecord>& wanted, std::vector<Door> fresh) {
  std::vector<Door> doors = gateways_->take_doors();
  const std::vector<Door> gone = take_unwanted(doors, wanted);
  std::move(fresh.begin(), fresh.end(), std::back_inserter(doors));
  configuration_.set_listen(listen_of(doors));
  if (const Status kept = keep_host(); !kept.ok()) log_error("cannot store the host file", {{"reason", kept.error()}});
  std::vector<std::uint32_t> numbers;
  for (const Door& door : gone) numbers.push_back(door.number);
  gateways_->set_doors(std::move(doors), numbers);
  close_doors(gone);
}

// Sockets by the address that they have: the list in the store and the sockets there need not be of one moment.
Status Supervisor::take_over_doors(Estate& estate, std::vector<Door>& doors, std::vector<std::uint32_t>& gone) {
  const std::vector<ListenRecord>& wanted = configuration_.host().listen;
  std::vector<proto::KeptRecord> taken;
  for (const auto& [record, socket] : estate.descriptors) {
    if (record.kind != KeptKind::kListener) continue;
    const auto entry = std::find_if(wanted.begin(), wanted.end(),
                                    [&](const ListenRecord& listen) { return is_bound_to(socket.get(), listen); });
    if (entry == wanted.end()) {
      gone.push_back(record.worker);  // and discarded with all that nobody takes out
    } else {
      doors.push_back({record.worker, UniqueFd(), *entry});
      taken.push_back(record);
    }
  }
  for (std::size_t i = 0; i < taken.size(); ++i) doors[i].socket = estate.take(taken[i]);
  std::string problem;
  const Status opened = open_doors(missing_doors(doors, wanted), doors, problem);
  if (!opened.ok()) log_error("cannot listen again", {{"reason", problem}});
  configuration_.set_listen(listen_of(doors));
  return opened;
}

}  // namespace rowhouse::supervisor

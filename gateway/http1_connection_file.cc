// An HTTP/1.1 connection's answers from a tenant's files: opened without waiting where the kernel has all
// names in memory, else in the pool (file_jobs.h); small ones leave with their head, others by sendfile(2),
// whose pages are fetched in the pool where they are not in memory.
#include <fcntl.h>
#include <sys/uio.h>

#include "base/log.h"
#include "gateway/caps.h"
#include "gateway/http1_connection.h"

namespace rowhouse::gateway {

using proto::Cause;
using Flow = ClientSocket::Flow;

void Http1Connection::serve_static(const StaticMatch& match, const CheckedHead& head) {
  exchange_.tally().app = match.app;
  warm_until_ = 0;
  const StaticPrefix& place = *match.place;
  if (!is_static_method(head.method)) {
    if (place.fallback) {
      serve_app(head);
    } else {
      refuse(405, Cause::kForbidden);
    }
    return;
  }
  const StaticOrder order{place.root.get(), match.relative, place.index, match.owner,
                          accepted_encodings(head.fields)};
  auto opened = open_static_file(order, bench_.mime_types, MayWait::kNo);
  if (std::holds_alternative<NotCached>(opened)) {
    open_later(order);
  } else {
    answer_from_file(std::move(opened), place, head);
  }
}

void Http1Connection::open_later(const StaticOrder& order) {
  FileJob job;
  job.tenant = order.owner_uid;
  job.root = UniqueFd(::fcntl(order.root, F_DUPFD_CLOEXEC, 0));
  if (!job.root.valid()) {
    refuse(503, Cause::kNone);
    return;
  }
  job.relative = order.relative;
  job.index = order.index;
  job.encodings = order.encodings;
  job.count = kFileSendBytes;
  state_ = State::kFile;
  state_at_ = bench_.turn.now();
  bench_.file_jobs.start(std::move(job), *this);
}

void Http1Connection::on_file_job(FileJob job) {
  bench_.turn.refresh();
  if (state_ == State::kFile) {
    state_ = State::kExchange;
    on_opened_later(std::move(job));
  } else if (warming_) {
    warming_ = false;
    file_ = std::move(job.file);
    warm_until_ = job.offset + job.count;
    flush_task_.schedule();
  }
  settle();
}

// The site may have changed meanwhile: what is told now counts.
void Http1Connection::on_opened_later(FileJob job) {
  Request& request = exchange_.request();
  const auto checked = check_head(request.block, bench_.head_fields);
  const auto& head = *std::get_if<CheckedHead>(&checked);  // it has been found good before
  const SiteMatch match = place_.sites.find(request.host, request.path);
  if (const auto* file = std::get_if<StaticMatch>(&match)) {
    const auto* opened = std::get_if<StaticFile>(&job.opened);
    warm_until_ = opened != nullptr ? std::min<std::uint64_t>(opened->size, kFileSendBytes) : 0;
    answer_from_file(std::move(job.opened), *file->place, head);
  } else {
    follow(match, head);
  }
}

void Http1Connection::answer_from_file(OpenedStatic opened, const StaticPrefix& place,
                                       const CheckedHead& head) {
  if (const auto* refusal = std::get_if<StaticRefusal>(&opened)) {
    if (refusal->status == 404 && place.fallback) {
      serve_app(head);
    } else {
      refuse(refusal->status, refusal->cause);
    }
    return;
  }
  auto& file = *std::get_if<StaticFile>(&opened);
  prepare_own_answer();
  StaticPlan plan = append_static_head(socket_.output().tail(), file, head,
                                       {bench_.turn.date(), place.cache_control, after_});
  ExchangeTally& tally = exchange_.tally();
  tally.status = plan.status;
  tally.bytes_out = plan.body_bytes();
  file_ = std::move(file.file);
  file_tenant_ = place.owner;
  file_offset_ = plan.offset;
  file_left_ = plan.length;
  parts_ = std::move(plan.more);
  next_part_ = 0;
  after_parts_ = std::move(plan.after);
  if (parts_.empty() && file_left_ <= kFileReadBytes) read_small_file();
  finish_answer();
}

// A small file leaves in one write with its head.  What is not in memory is left to flush().
void Http1Connection::read_small_file() {
  std::string& out = socket_.output().tail();
  while (file_left_ > 0) {
    const std::size_t start = out.size();
    out.resize(start + static_cast<std::size_t>(file_left_));
    iovec room{out.data() + start, static_cast<std::size_t>(file_left_)};
    const ssize_t count = ::preadv2(file_.get(), &room, 1, static_cast<off_t>(file_offset_), RWF_NOWAIT);
    out.resize(start + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0) return;
    if (count == 0) {
      // The file became shorter: the answer ends early, and the client sees that.
      cut_ = true;
      file_left_ = 0;
      break;
    }
    file_left_ -= static_cast<std::uint64_t>(count);
    file_offset_ += static_cast<std::uint64_t>(count);
  }
  file_.reset();
}

bool Http1Connection::has_file_left() const {
  return file_left_ > 0 || next_part_ < parts_.size() || !after_parts_.empty();
}

// After the output has left: the rest of the file, part by part.
Flow Http1Connection::flush_file() {
  while (has_file_left()) {
    if (file_left_ == 0) {
      start_next_part();
    } else if (needs_warming()) {
      warm();
      return Flow::kBlocked;
    } else if (const Flow sent = socket_.send_file(file_.get(), file_offset_, file_left_);
               sent != Flow::kDone) {
      return sent;
    }
    if (const Flow flushed = socket_.flush(); flushed != Flow::kDone) return flushed;
  }
  return Flow::kDone;
}

void Http1Connection::start_next_part() {
  if (next_part_ == parts_.size()) {
    socket_.output().append(after_parts_);
    after_parts_.clear();
    return;
  }
  const FilePart& part = parts_[next_part_++];
  socket_.output().append(part.before);
  file_offset_ = part.offset;
  file_left_ = part.length;
  warm_until_ = 0;
}

bool Http1Connection::needs_warming() const {
  const std::uint64_t share = std::min<std::uint64_t>(file_left_, kFileSendBytes);
  return file_offset_ + share > warm_until_ && !is_cached(file_.get(), file_offset_, share);
}

void Http1Connection::warm() {
  FileJob job;
  job.work = FileWork::kWarm;
  job.tenant = file_tenant_;
  job.file = std::move(file_);
  job.offset = file_offset_;
  job.count = std::min<std::uint64_t>(file_left_, kFileSendBytes);
  warming_ = true;
  bench_.file_jobs.start(std::move(job), *this);
}

void Http1Connection::forget_file() {
  bench_.file_jobs.forget(*this);
  warming_ = false;
  file_.reset();
  file_left_ = warm_until_ = 0;
  parts_.clear();
  next_part_ = 0;
  after_parts_.clear();
}

}  // namespace rowhouse::gateway

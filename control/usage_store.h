// The usage database: what each tenant used, by hour and by day, and the meters from which that was reckoned.
//
// Everything that one commit writes stands in one transaction: the bills, the last readings they were reckoned from, and
// the deaths that were counted.  So a crash at any moment leaves either the old bills with the old readings, from which
// the next program reckons the same difference again, or the new ones with the new (test_usage.py).
//
// Files: usage.db and SQLite's own beside it, in a directory that only this program opens.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "control/bill.h"
#include "control/meters.h"

struct sqlite3;
struct sqlite3_stmt;

namespace rowhouse::control {

enum class UsageStep : std::uint8_t { kHour, kDay, kTotal };

struct UsageRow {
  std::string tenant;
  std::int64_t start_s = 0;  // of the hour, the day, or the period
  Bill bill;
};

// [from_s, to_s), of one tenant or, when it is empty, of all.
struct UsageQuery {
  std::int64_t from_s = 0, to_s = 0;
  UsageStep step = UsageStep::kTotal;
  std::vector<std::string> tenants;  // empty: all
};

class UsageStore {
 public:
  static constexpr std::int64_t kKeptHoursSeconds = 40 * kDaySeconds;
  static constexpr std::int64_t kKeptDaysSeconds = 1100 * kDaySeconds;
  static constexpr std::size_t kMaxRows = 200'000;  // of one answer

  UsageStore() = default;
  ~UsageStore();
  UsageStore(const UsageStore&) = delete;
  UsageStore& operator=(const UsageStore&) = delete;

  // Opens or makes the database.  One that is damaged is put aside as usage.db.damaged and a new one begun.
  Status open(UniqueFd directory);
  [[nodiscard]] bool is_open() const { return database_ != nullptr; }
  // What an earlier program wrote down.
  Status load(Meters& meters);
  // Writes all that is unwritten, durably, or nothing.
  Status commit(const Meters& meters, std::int64_t now_ms);
  // kTooLarge: more than kMaxRows.
  [[nodiscard]] Result<std::vector<UsageRow>> read(const UsageQuery& query);

 private:
  class Statement;
  Status connect();
  void close();
  Status run(const char* sql);
  Status write_bills(const Bills& bills);
  Status write_meters(const Meters& meters);
  Status write_deaths(const std::vector<std::string>& keys);
  Status forget_old(std::int64_t now_s);
  Status fail(const char* operation);

  UniqueFd directory_;
  sqlite3* database_ = nullptr;
  std::int64_t tidied_s_ = 0;
};

}  // namespace rowhouse::control

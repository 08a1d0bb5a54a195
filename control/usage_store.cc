#include "control/usage_store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/log.h"

namespace rowhouse::control {
namespace {

constexpr const char* kFileName = "usage.db";
constexpr const char* kVfsName = "rowhouse";

constexpr const char* kSchema =
    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; PRAGMA secure_delete=OFF;"
    "CREATE TABLE IF NOT EXISTS usage(step INTEGER, start INTEGER, tenant TEXT, cpu_us INTEGER, byte_seconds INTEGER,"
    " requests INTEGER, bytes_in INTEGER, bytes_out INTEGER, read_bytes INTEGER, written_bytes INTEGER,"
    " workers INTEGER, memory INTEGER, processes INTEGER, in_flight INTEGER,"
    " PRIMARY KEY(step, start, tenant)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS faults(step INTEGER, start INTEGER, tenant TEXT, kind TEXT, count INTEGER,"
    " PRIMARY KEY(step, start, tenant, kind)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS meters(tenant TEXT, app TEXT, state BLOB, PRIMARY KEY(tenant, app)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS deaths(id INTEGER PRIMARY KEY, key TEXT);";

constexpr const char* kAddUsage =
    "INSERT INTO usage VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET cpu_us=cpu_us+excluded.cpu_us,"
    " byte_seconds=byte_seconds+excluded.byte_seconds, requests=requests+excluded.requests,"
    " bytes_in=bytes_in+excluded.bytes_in, bytes_out=bytes_out+excluded.bytes_out,"
    " read_bytes=read_bytes+excluded.read_bytes, written_bytes=written_bytes+excluded.written_bytes,"
    " workers=max(workers,excluded.workers), memory=max(memory,excluded.memory),"
    " processes=max(processes,excluded.processes), in_flight=max(in_flight,excluded.in_flight)";
constexpr const char* kAddFault =
    "INSERT INTO faults VALUES(?,?,?,?,?) ON CONFLICT DO UPDATE SET count=count+excluded.count";

// SQLite makes the names of its files absolute, by a path that this user may not walk; below a descriptor of
// ours it need not.
int keep_name(sqlite3_vfs*, const char* name, int room, char* out) {
  sqlite3_snprintf(room, out, "%s", name);
  return SQLITE_OK;
}

void register_vfs() {
  static sqlite3_vfs vfs;
  if (sqlite3_vfs_find(kVfsName) != nullptr) return;
  vfs = *sqlite3_vfs_find("unix");
  vfs.pNext = nullptr;
  vfs.zName = kVfsName;
  vfs.xFullPathname = keep_name;
  sqlite3_vfs_register(&vfs, 0);
}

std::int64_t day_of(std::int64_t start_s) {
  return start_s / kDaySeconds * kDaySeconds;
}

}  // namespace

// One prepared statement; its first failure is remembered until it is asked.
class UsageStore::Statement {
 public:
  Statement(sqlite3* database, const char* sql) {
    code_ = sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(std::int64_t value) {
    if (ready()) code_ = sqlite3_bind_int64(statement_, ++bound_, value);
    return *this;
  }
  Statement& bind(std::uint64_t value) { return bind(static_cast<std::int64_t>(value)); }
  Statement& bind(const std::string& text) {
    if (ready()) code_ = sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
    return *this;
  }
  Statement& bind_bytes(const std::string& bytes) {
    if (ready()) code_ = sqlite3_bind_blob(statement_, ++bound_, bytes.data(), static_cast<int>(bytes.size()), SQLITE_TRANSIENT);
    return *this;
  }
  // Runs it to its end, and is ready for the next values.
  [[nodiscard]] bool run() {
    if (!ready()) return false;
    const int code = sqlite3_step(statement_);
    sqlite3_reset(statement_);
    bound_ = 0;
    code_ = code == SQLITE_DONE ? SQLITE_OK : code;
    return ready();
  }
  // True while there is a row.
  [[nodiscard]] bool next() {
    if (!ready()) return false;
    const int code = sqlite3_step(statement_);
    if (code != SQLITE_ROW && code != SQLITE_DONE) code_ = code;
    return code == SQLITE_ROW;
  }
  [[nodiscard]] bool ready() const { return code_ == SQLITE_OK; }
  [[nodiscard]] std::int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }
  [[nodiscard]] std::uint64_t count(int column) const {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, number(column)));
  }
  [[nodiscard]] std::string bytes(int column) const {
    const auto* begin = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    return begin == nullptr ? "" : std::string(begin, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
  }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int code_ = SQLITE_OK;
  int bound_ = 0;
};

UsageStore::~UsageStore() {
  close();
}

void UsageStore::close() {
  sqlite3_close(std::exchange(database_, nullptr));
}

Status UsageStore::fail(const char* operation) {
  const int code = database_ == nullptr ? SQLITE_CANTOPEN : sqlite3_extended_errcode(database_);
  const char* text = database_ == nullptr ? "" : sqlite3_errmsg(database_);
  log_error("usage_database", {{"operation", operation}, {"code", code}, {"reason", text}});
  return make_error(ErrorCode::kInvalid, operation);
}

Status UsageStore::run(const char* sql) {
  return sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) == SQLITE_OK ? Status() : fail("usage database");
}

Status UsageStore::connect() {
  const std::string path = "/proc/self/fd/" + std::to_string(directory_.get()) + "/" + kFileName;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE;
  if (sqlite3_open_v2(path.c_str(), &database_, flags, kVfsName) != SQLITE_OK) return fail("sqlite3_open");
  // The one before us may not have ended yet.
  sqlite3_busy_timeout(database_, 2'000);
  RH_TRY(run(kSchema));
  // A damaged file shows itself when it is read.
  Statement check(database_, "SELECT count(*) FROM meters");
  return check.next() ? Status() : fail("read the database");
}

Status UsageStore::open(UniqueFd directory) {
  register_vfs();
  directory_ = std::move(directory);
  const Status connected = connect();
  if (connected.ok()) return {};
  const int code = database_ == nullptr ? SQLITE_CANTOPEN : sqlite3_errcode(database_) & 0xff;
  close();
  if (code != SQLITE_CORRUPT && code != SQLITE_NOTADB) return connected;
  // What it has cannot be trusted; what comes from now on shall not be lost with it.
  if (::renameat(directory_.get(), kFileName, directory_.get(), "usage.db.damaged") != 0) return system_error("renameat usage.db");
  log_error("usage_database_damaged", {{"kept_as", "usage.db.damaged"}});
  const Status anew = connect();
  if (!anew.ok()) close();
  return anew;
}

Status UsageStore::load(Meters& meters) {
  if (!is_open()) return {};
  Statement rows(database_, "SELECT tenant, app, state FROM meters");
  while (rows.next()) {
    auto meter = Meter::decode(rows.bytes(2));
    const std::string tenant = rows.bytes(0), app = rows.bytes(1);
    // Of a version that counted other things: it begins anew.
    if (!meter) continue;
    if (app.empty()) {
      meters.restore_tenant(tenant, *std::move(meter));
    } else {
      meters.restore_app({tenant, app}, *std::move(meter));
    }
  }
  if (!rows.ready()) return fail("read meters");
  Statement deaths(database_, "SELECT key FROM deaths ORDER BY id");
  while (deaths.next()) meters.restore_death(deaths.bytes(0));
  return deaths.ready() ? Status() : fail("read deaths");
}

Status UsageStore::write_bills(const Bills& bills) {
  Statement usage(database_, kAddUsage), faults(database_, kAddFault);
  for (const auto& [key, bill] : bills) {
    for (const UsageStep step : {UsageStep::kHour, UsageStep::kDay}) {
      const std::int64_t start = step == UsageStep::kHour ? key.first : day_of(key.first);
      const auto number = static_cast<std::int64_t>(step);
      usage.bind(number).bind(start).bind(key.second).bind(bill.cpu_us).bind(bill.memory_byte_seconds);
      usage.bind(bill.requests).bind(bill.bytes_in).bind(bill.bytes_out).bind(bill.read_bytes).bind(bill.written_bytes);
      usage.bind(bill.workers_peak).bind(bill.memory_peak).bind(bill.processes_peak).bind(bill.in_flight_peak);
      if (!usage.run()) return fail("write usage");
      for (const auto& [kind, count] : bill.faults) {
        if (!faults.bind(number).bind(start).bind(key.second).bind(kind).bind(count).run()) return fail("write faults");
      }
    }
  }
  return {};
}

Status UsageStore::write_meters(const Meters& meters) {
  const Unwritten& unwritten = meters.unwritten();
  Statement forget(database_, "DELETE FROM meters WHERE tenant=? AND app=?");
  for (const AppName& app : unwritten.gone_apps) {
    if (!forget.bind(app.tenant).bind(app.app).run()) return fail("forget a meter");
  }
  for (const std::string& tenant : unwritten.gone_tenants) {
    if (!forget.bind(tenant).bind(std::string()).run()) return fail("forget a meter");
  }
  Statement write(database_, "INSERT OR REPLACE INTO meters VALUES(?,?,?)");
  for (const AppName& app : unwritten.apps) {
    const auto found = meters.apps().find(app);
    if (found == meters.apps().end()) continue;
    if (!write.bind(app.tenant).bind(app.app).bind_bytes(found->second.meter.encode()).run()) return fail("write a meter");
  }
  for (const std::string& tenant : unwritten.tenants) {
    const auto found = meters.tenants().find(tenant);
    if (found == meters.tenants().end()) continue;
    if (!write.bind(tenant).bind(std::string()).bind_bytes(found->second.meter.encode()).run()) return fail("write a meter");
  }
  return {};
}

Status UsageStore::write_deaths(const std::vector<std::string>& keys) {
  Statement write(database_, "INSERT INTO deaths(key) VALUES(?)");
  for (const std::string& key : keys) {
    if (!write.bind(key).run()) return fail("write a death");
  }
  if (keys.empty()) return {};
  Statement forget(database_, "DELETE FROM deaths WHERE id <= (SELECT max(id) FROM deaths) - ?");
  return forget.bind(std::uint64_t{Meters::kMaxDeaths}).run() ? Status() : fail("forget deaths");
}

// Once an hour.
Status UsageStore::forget_old(std::int64_t now_s) {
  if (now_s < tidied_s_ + kHourSeconds) return {};
  tidied_s_ = now_s;
  for (const char* sql : {"DELETE FROM usage WHERE step=? AND start<?", "DELETE FROM faults WHERE step=? AND start<?"}) {
    Statement forget(database_, sql);
    const auto hour = static_cast<std::int64_t>(UsageStep::kHour), day = static_cast<std::int64_t>(UsageStep::kDay);
    if (!forget.bind(hour).bind(now_s - kKeptHoursSeconds).run()) return fail("forget hours");
    if (!forget.bind(day).bind(now_s - kKeptDaysSeconds).run()) return fail("forget days");
  }
  return {};
}

Status UsageStore::commit(const Meters& meters, std::int64_t now_ms) {
  if (!is_open() || meters.unwritten().empty()) return {};
  RH_TRY(run("BEGIN IMMEDIATE"));
  Status written = write_bills(meters.unwritten().bills);
  if (written.ok()) written = write_meters(meters);
  if (written.ok()) written = write_deaths(meters.unwritten().deaths);
  if (written.ok()) written = forget_old(now_ms / 1000);
  if (written.ok()) written = run("COMMIT");
  if (!written.ok()) sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
  return written;
}

// --- reading -------------------------------------------------------------------------------------------------------

namespace {

// The rows of what a query wants, by tenant and begin.
using Found = std::map<std::pair<std::string, std::int64_t>, Bill>;

// Days are kept longer than hours: they answer for the whole days of a period, hours for what is left at its ends.
struct Span {
  UsageStep step;
  std::int64_t from_s, to_s;
};

std::vector<Span> spans_of(const UsageQuery& query) {
  if (query.step == UsageStep::kHour) return {{UsageStep::kHour, query.from_s, query.to_s}};
  const std::int64_t first_day = day_of(query.from_s + kDaySeconds - 1), last_day = day_of(query.to_s);
  if (first_day >= last_day) return {{UsageStep::kHour, query.from_s, query.to_s}};
  return {{UsageStep::kHour, query.from_s, first_day},
          {UsageStep::kDay, first_day, last_day},
          {UsageStep::kHour, last_day, query.to_s}};
}

std::int64_t place_of(const UsageQuery& query, std::int64_t start_s) {
  if (query.step == UsageStep::kTotal) return query.from_s;
  return query.step == UsageStep::kDay ? day_of(start_s) : start_s;
}

}  // namespace

Result<std::vector<UsageRow>> UsageStore::read(const UsageQuery& query) {
  Found found;
  if (!is_open()) return make_error(ErrorCode::kNotFound, "usage database");
  const auto wanted = [&query](const std::string& tenant) {
    return query.tenants.empty() || std::find(query.tenants.begin(), query.tenants.end(), tenant) != query.tenants.end();
  };
  for (const Span& span : spans_of(query)) {
    const auto step = static_cast<std::int64_t>(span.step);
    Statement usage(database_, "SELECT * FROM usage WHERE step=? AND start>=? AND start<?");
    usage.bind(step).bind(span.from_s).bind(span.to_s);
    while (usage.next()) {
      const std::string tenant = usage.bytes(2);
      if (!wanted(tenant)) continue;
      const Bill bill{usage.count(3),  usage.count(4),  usage.count(5),  usage.count(6), usage.count(7), usage.count(8),
                      usage.count(9),  usage.count(10), usage.count(11), usage.count(12), usage.count(13), {}};
      found[{tenant, place_of(query, usage.number(1))}].add(bill);
      if (found.size() > kMaxRows) return make_error(ErrorCode::kTooLarge, "usage rows");
    }
    Statement faults(database_, "SELECT tenant, start, kind, count FROM faults WHERE step=? AND start>=? AND start<?");
    faults.bind(step).bind(span.from_s).bind(span.to_s);
    while (faults.next()) {
      const std::string tenant = faults.bytes(0);
      if (wanted(tenant)) found[{tenant, place_of(query, faults.number(1))}].faults[faults.bytes(2)] += faults.count(3);
    }
    if (!usage.ready() || !faults.ready()) return fail("read usage").error();
  }
  std::vector<UsageRow> rows;
  for (auto& [key, bill] : found) rows.push_back({key.first, key.second, std::move(bill)});
  return rows;
}

}  // namespace rowhouse::control

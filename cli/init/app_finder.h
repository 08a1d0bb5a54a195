// Looks which web application lies in a directory, by the files that Django, Flask, FastAPI and Passenger know.
#pragma once

#include <string>
#include <vector>

namespace rowhouse::cli {

struct FoundApp {
  std::string what;         // "Django", "Flask", "FastAPI", "Starlette" or "script file", for people
  std::string interface;    // the manifest's key: "wsgi" or "asgi"
  std::string callable;     // "site.wsgi:application", or the script file's path below the home
  std::string directory;    // below the home; empty: the home itself
  std::string virtualenv;   // below the home; empty: none
  std::string python;       // "3.11", of the virtualenv; empty: not known
  std::string static_root;  // below the home; empty: none is known
  std::string found_in;     // the file that told, below the home
  bool factory = false;
};

// What there is in `directory` and in the directories directly below it.  Both are absolute, `directory` is the home or lies
// below it.  Files of more than 256 KiB and symbolic links are not looked at; what cannot be read is not there.
[[nodiscard]] std::vector<FoundApp> find_apps(const std::string& home, const std::string& directory);

}  // namespace rowhouse::cli

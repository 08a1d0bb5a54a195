// What is wrong with a virtualenv, if anything: PEP 405 (pyvenv.cfg) and what venv and virtualenv write into
// it. A virtualenv of another Python, or a broken one, is a start error: never a silent fallback.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rowhouse::worker {

// "3.11" out of the text of a pyvenv.cfg: the key `version` (venv) or `version_info` (virtualenv).  Nothing
// when neither is there or neither begins with two numbers.
[[nodiscard]] std::optional<std::string> pyvenv_version(std::string_view text);

// One sentence, or empty when the directory is a whole virtualenv for `python` ("3.11").
[[nodiscard]] std::string find_virtualenv_fault(const std::string& directory, const std::string& python);

}  // namespace rowhouse::worker

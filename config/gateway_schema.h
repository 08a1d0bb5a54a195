// What a manifest says of an app that concerns the gateways alone: static files and how they are sent.
// Used by manifest_schema.
#pragma once

#include "config/manifest_schema.h"
#include "config/map_reader.h"

namespace rowhouse::config {

// Reads the keys of an app's map into `app.statics` and `app.gateway`.
void read_gateway_part(const MapReader& reader, App& app);

// The value of a Cache-Control field: printable ASCII, at most 256 bytes.
[[nodiscard]] Parsed<std::string> parse_cache_control(std::string_view text);
// The name of a directory's index file: no slash, no dot at its start.
[[nodiscard]] Parsed<std::string> parse_index_name(std::string_view text);

}  // namespace rowhouse::config

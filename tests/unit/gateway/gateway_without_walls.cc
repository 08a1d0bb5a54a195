// The gateway as the sanitizer build's unit tests start it; its walls are seen in test_walls.cc and the system tests.
#include "gateway/program.h"

int main() {
  return rowhouse::gateway::run_program(rowhouse::gateway::Walls::kNone);
}

// rowhouse-gateway: speaks HTTP to the world and hands requests to the workers.  Started by the supervisor as
// an unprivileged user with its control socket as descriptor 3 and an empty directory, its root from then on, as 4; it
// is told everything else by the supervisor.
#include "gateway/program.h"

int main() {
  return rowhouse::gateway::run_program(rowhouse::gateway::Walls::kUp);
}

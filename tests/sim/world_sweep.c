#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child tells through shared memory where it is, so that the parent can name the seed even of a
 * child that was aborted by an assertion or a sanitizer. */

static bool from_environment(const char *name, uint64_t *value)
{
    const char *text = getenv(name); // NOLINT(concurrency-mt-unsafe): one thread
    if (!text || !*text)
        return false;
    char *end;
    *value = strtoull(text, &end, 10);
    return *end == '\0';
}

static void child(uint64_t first, uint64_t count, bool (*scenario)(uint64_t seed, void *arg),
                  void *arg, volatile uint64_t *at)
{
    for (uint64_t i = 0; i < count; i++) {
        *at = first + i;
        if (!scenario(first + i, arg))
            exit(1); // NOLINT(concurrency-mt-unsafe)
    }
    exit(0); // NOLINT(concurrency-mt-unsafe): not _exit, so that leaks are found
}

bool kin_sim_sweep(const char *name, uint64_t first, uint64_t count,
                   bool (*scenario)(uint64_t seed, void *arg), void *arg)
{
    uint64_t seed;
    if (from_environment("KIN_SIM_SEED", &seed)) {
        bool ok = scenario(seed, arg);
        fprintf(stderr, "%s: seed %" PRIu64 " %s\n", name, seed, ok ? "holds" : "fails");
        return ok;
    }
    from_environment("KIN_SIM_COUNT", &count);
    uint64_t *at =
        mmap(NULL, sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    KIN_ASSERT(at != MAP_FAILED);
    *at = first;
    fflush(NULL);
    pid_t pid = fork();
    KIN_ASSERT(pid >= 0);
    if (pid == 0)
        child(first, count, scenario, arg, at);
    int state = 0;
    KIN_ASSERT(waitpid(pid, &state, 0) == pid);
    bool ok = WIFEXITED(state) && WEXITSTATUS(state) == 0;
    if (!ok)
        fprintf(stderr, "%s: seed %" PRIu64 " %s; replay it alone with KIN_SIM_SEED=%" PRIu64 "\n",
                name, *at, WIFEXITED(state) ? "fails" : "dies", *at);
    munmap(at, sizeof *at);
    return ok;
}

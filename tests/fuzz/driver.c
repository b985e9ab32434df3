/* Runs a fuzz target without libFuzzer: every file of a corpus, then a fixed number of mutations of
 * them, which are the same on every machine. Mutation k depends on k and the corpus alone.
 *
 *   fuzz_NAME CORPUS          the corpus and MUTATIONS mutations
 *   fuzz_NAME CORPUS K        mutation K alone, in this process, for a debugger
 *   fuzz_NAME FILE            that file alone, likewise
 *
 * The inputs run in a child that tells through shared memory where it is, so that the input can be
 * named even when a sanitizer or an assertion ended the child. */
#include "common/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MUTATIONS = 10000,
    INPUTS_MAX = 10000,
    INPUT_BYTES_MAX = 1 << 20,
    MUTANT_BYTES_MAX = 4096, /* longer files are replayed whole and mutated at their beginning */
    EDITS_MAX = 6,
};

struct input {
    char name[256];
    uint8_t *p;
    size_t n;
};

struct corpus {
    struct input *inputs;
    size_t count;
};

static _Noreturn void give_up(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    exit(2); // NOLINT(concurrency-mt-unsafe): one thread
}

static void read_input(const char *path, struct input *out)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        give_up(path);
    out->p = kin_alloc(INPUT_BYTES_MAX);
    out->n = out->p ? fread(out->p, 1, INPUT_BYTES_MAX, file) : 0;
    if (!out->p || ferror(file))
        give_up(path);
    fclose(file);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct input *)a)->name, ((const struct input *)b)->name);
}

/* In the order of names, because directories have none that lasts. */
static void read_corpus(const char *folder, struct corpus *corpus)
{
    DIR *dir = opendir(folder);
    corpus->inputs = kin_alloc(INPUTS_MAX * sizeof *corpus->inputs);
    if (!dir || !corpus->inputs)
        give_up(folder);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) { // NOLINT(concurrency-mt-unsafe)
        struct input *in = &corpus->inputs[corpus->count];
        char path[4096];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || corpus->count == INPUTS_MAX)
            continue;
        snprintf(in->name, sizeof in->name, "%s", e->d_name);
        read_input(path, in);
        corpus->count++;
    }
    closedir(dir);
    qsort(corpus->inputs, corpus->count, sizeof *corpus->inputs, by_name);
}

static void free_corpus(struct corpus *corpus)
{
    for (size_t i = 0; i < corpus->count; i++)
        kin_free(corpus->inputs[i].p);
    kin_free(corpus->inputs);
}

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static size_t draw_below(uint64_t *state, size_t n)
{
    return n ? (size_t)(draw(state) % n) : 0;
}

static uint8_t draw_byte(uint64_t *state)
{
    static const uint8_t telling[] = {0,   1,   0x7f, 0x80, 0xff, '"', '\'', ',', ';', '\n', '\r',
                                      ' ', '{', '}',  '[',  ']',  ':', '(',  ')', '-', '0',  '9',
                                      'a', 'Z', 0xc2, 0xe2, 0xf0, '#', '\\', '@', '+', '.',  '\t'};
    uint64_t x = draw(state);
    return x & 1 ? telling[(x >> 8) % sizeof telling] : (uint8_t)(x >> 8);
}

/* Copies n bytes of the source into the mutant at a place, moving what follows. */
static size_t insert(uint8_t *p, size_t size, size_t at, const uint8_t *from, size_t n)
{
    if (n > MUTANT_BYTES_MAX - size)
        n = MUTANT_BYTES_MAX - size;
    memmove(p + at + n, p + at, size - at);
    memcpy(p + at, from, n);
    return size + n;
}

static size_t edit(uint64_t *state, const struct input *other, uint8_t *p, size_t size)
{
    uint8_t piece[64];
    size_t at = draw_below(state, size + 1);
    size_t n = 1 + draw_below(state, draw(state) & 1 ? 4 : sizeof piece);
    switch (draw_below(state, 6)) {
    case 0: /* one bit */
        if (at < size)
            p[at] ^= (uint8_t)(1u << draw_below(state, 8));
        return size;
    case 1: /* one byte */
        if (at < size)
            p[at] = draw_byte(state);
        return size;
    case 2: /* new bytes, of one kind or of many */
        memset(piece, draw_byte(state), n);
        for (size_t i = 0; draw(state) & 1 && i < n; i++)
            piece[i] = draw_byte(state);
        return insert(p, size, at, piece, n);
    case 3: /* bytes gone */
        n = n > size - at ? size - at : n;
        memmove(p + at, p + at + n, size - at - n);
        return size - n;
    case 4: /* a piece of its own again */
        n = n > size - at ? size - at : n;
        memcpy(piece, p + at, n);
        return insert(p, size, draw_below(state, size + 1), piece, n);
    default: { /* a piece of another input */
        size_t from = draw_below(state, other->n);
        n = n > other->n - from ? other->n - from : n;
        return insert(p, size, at, other->p + from, n);
    }
    }
}

static size_t mutate(const struct corpus *corpus, uint64_t k, uint8_t *out)
{
    static const struct input nothing = {.n = 0};
    uint64_t state = k;
    size_t pick = draw_below(&state, corpus->count);
    size_t next = draw_below(&state, corpus->count);
    const struct input *base = corpus->count ? &corpus->inputs[pick] : &nothing;
    const struct input *other = corpus->count ? &corpus->inputs[next] : &nothing;
    size_t size = base->n < MUTANT_BYTES_MAX ? base->n : MUTANT_BYTES_MAX;
    if (size)
        memcpy(out, base->p, size);
    for (size_t edits = 1 + draw_below(&state, EDITS_MAX); edits; edits--)
        size = edit(&state, other, out, size);
    return size;
}

/* In a block of exactly its size, so that ASan sees a read past the end. */
static void run_input(const uint8_t *data, size_t size)
{
    uint8_t *copy = kin_alloc(size ? size : 1);
    KIN_ASSERT(copy);
    if (size)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    kin_free(copy);
}

static void run_mutation(const struct corpus *corpus, uint64_t k)
{
    uint8_t mutant[MUTANT_BYTES_MAX];
    run_input(mutant, mutate(corpus, k, mutant));
}

static int run_all(const struct corpus *corpus, const char *program, const char *folder)
{
    volatile uint64_t *at =
        mmap(NULL, sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    KIN_ASSERT(at != MAP_FAILED);
    fflush(NULL);
    pid_t pid = fork();
    KIN_ASSERT(pid >= 0);
    if (pid == 0) {
        for (size_t i = 0; i < corpus->count; i++, ++*at)
            run_input(corpus->inputs[i].p, corpus->inputs[i].n);
        for (uint64_t k = 0; k < MUTATIONS; k++, ++*at)
            run_mutation(corpus, k);
        return 0; /* by the way of main, so that leaks are found */
    }
    int status = 0;
    KIN_ASSERT(waitpid(pid, &status, 0) == pid);
    uint64_t done = *at;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        printf("%zu files and %d mutations hold\n", corpus->count, MUTATIONS);
        return 0;
    }
    if (done < corpus->count)
        fprintf(stderr, "fails; again: %s %s/%s\n", program, folder, corpus->inputs[done].name);
    else
        fprintf(stderr, "fails; again: %s %s %" PRIu64 "\n", program, folder, done - corpus->count);
    return 1;
}

int main(int argc, char **argv)
{
    struct corpus corpus = {0};
    struct stat st;
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s CORPUS [MUTATION] | FILE\n", argv[0]);
        return 2;
    }
    if (stat(argv[1], &st) != 0)
        give_up(argv[1]);
    if (!S_ISDIR(st.st_mode)) {
        struct input one = {.n = 0};
        read_input(argv[1], &one);
        run_input(one.p, one.n);
        kin_free(one.p);
        return 0;
    }
    read_corpus(argv[1], &corpus);
    int code = 0;
    if (argc == 3)
        run_mutation(&corpus, strtoull(argv[2], NULL, 10));
    else
        code = run_all(&corpus, argv[0], argv[1]);
    free_corpus(&corpus);
    return code;
}

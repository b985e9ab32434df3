/* What a file's name says about it, and the owners of bytes between cutter and parser. */
#include "common/record/reader.h"

#include <string.h>

static bool ends_with(struct kin_str name, const char *suffix)
{
    size_t n = strlen(suffix);
    if (name.n < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = name.p[name.n - n + i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c != suffix[i])
            return false;
    }
    return true;
}

enum kin_compression kin_compression_of(const char *path)
{
    struct kin_str name = kin_str_of(path);
    if (ends_with(name, ".gz"))
        return KIN_GZIP;
    return ends_with(name, ".zst") ? KIN_ZSTD : KIN_PLAIN;
}

enum kin_format kin_format_of(const char *path)
{
    struct kin_str name = kin_str_of(path);
    if (ends_with(name, ".gz"))
        name.n -= 3;
    else if (ends_with(name, ".zst"))
        name.n -= 4;
    bool json = ends_with(name, ".jsonl") || ends_with(name, ".ndjson") || ends_with(name, ".json");
    return json ? KIN_FORMAT_JSONL : KIN_FORMAT_CSV;
}

void kin_header_deinit(struct kin_header *h)
{
    kin_free(h->names);
    kin_free(h->text);
    *h = (struct kin_header){0};
}

void kin_chunk_deinit(struct kin_chunk *chunk)
{
    kin_buf_deinit(&chunk->bytes);
    *chunk = (struct kin_chunk){0};
}

/* Decompression as a byte source. A raw block is read, fed to zlib or zstd until they want more,
 * and the next one is read; nothing else is buffered. */
#include "common/record/reader.h"

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { RAW_BYTES = 64 * 1024, GZIP_WINDOW_BITS = 15 + 16 /* 16: a gzip header is expected */ };

struct kin_inflate {
    enum kin_compression compression;
    struct kin_byte_source raw;
    kin_status broken; /* sticky: a decoder is of no use after an error */
    bool raw_ended;
    bool between; /* a member or frame has ended and no other has begun */
    z_stream gzip;
    ZSTD_DCtx *zstd;
    uint64_t raw_bytes; /* read so far, for messages */
    size_t at;          /* raw bytes not yet used: block[at..end) */
    size_t end;
    uint8_t block[RAW_BYTES];
};

static voidpf gzip_alloc(voidpf arg, uInt count, uInt size)
{
    (void)arg;
    return kin_calloc(count, size);
}

static void gzip_free(voidpf arg, voidpf p)
{
    (void)arg;
    kin_free(p);
}

kin_status kin_inflate_open(enum kin_compression compression, struct kin_byte_source raw,
                            struct kin_inflate **out, struct kin_err *err)
{
    struct kin_inflate *z = kin_alloc(sizeof *z);
    if (!z)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory for decompression");
    z->compression = compression;
    z->raw = raw;
    z->broken = KIN_OK;
    z->raw_ended = z->between = false;
    z->gzip = (z_stream){.zalloc = gzip_alloc, .zfree = gzip_free};
    z->zstd = NULL;
    z->raw_bytes = 0;
    z->at = z->end = 0;
    bool ready = true;
    switch (compression) {
    case KIN_PLAIN:
        break;
    case KIN_GZIP:
        ready = inflateInit2(&z->gzip, GZIP_WINDOW_BITS) == Z_OK;
        break;
    case KIN_ZSTD:
        /* its stable interface allocates by itself; the default window limit (128 MiB) holds */
        z->zstd = ZSTD_createDCtx();
        ready = z->zstd != NULL;
        break;
    }
    if (!ready) {
        kin_free(z);
        return kin_err_set(err, KIN_E_NOMEM, "out of memory for decompression");
    }
    *out = z;
    return KIN_OK;
}

void kin_inflate_close(struct kin_inflate *z)
{
    if (!z)
        return;
    if (z->compression == KIN_GZIP)
        inflateEnd(&z->gzip);
    ZSTD_freeDCtx(z->zstd);
    kin_free(z);
}

static kin_status corrupt(struct kin_inflate *z, const char *what, struct kin_err *err)
{
    z->broken = KIN_E_CORRUPT;
    return kin_err_set(err, KIN_E_CORRUPT, "%s (near compressed byte %llu)", what,
                       (unsigned long long)(z->raw_bytes - (z->end - z->at)));
}

static kin_status no_memory(struct kin_inflate *z, struct kin_err *err)
{
    z->broken = KIN_E_NOMEM;
    return kin_err_set(err, KIN_E_NOMEM, "out of memory for decompression");
}

static kin_status step_gzip(struct kin_inflate *z, uint8_t *to, size_t cap, size_t *got,
                            struct kin_err *err)
{
    if (z->between && inflateReset(&z->gzip) != Z_OK)
        return corrupt(z, "gzip: cannot start a member", err);
    z->between = false;
    uInt room = cap < (1u << 30) ? (uInt)cap : 1u << 30;
    z->gzip.next_in = z->block + z->at;
    z->gzip.avail_in = (uInt)(z->end - z->at);
    z->gzip.next_out = to;
    z->gzip.avail_out = room;
    int result = inflate(&z->gzip, Z_NO_FLUSH);
    z->at = z->end - z->gzip.avail_in;
    *got = room - z->gzip.avail_out;
    if (result == Z_STREAM_END)
        z->between = true;
    else if (result == Z_MEM_ERROR)
        return no_memory(z, err);
    else if (result != Z_OK && result != Z_BUF_ERROR)
        return corrupt(z, z->gzip.msg ? z->gzip.msg : "gzip: invalid data", err);
    return KIN_OK;
}

static kin_status step_zstd(struct kin_inflate *z, uint8_t *to, size_t cap, size_t *got,
                            struct kin_err *err)
{
    ZSTD_inBuffer in = {z->block, z->end, z->at};
    ZSTD_outBuffer out = {to, cap, 0};
    size_t hint = ZSTD_decompressStream(z->zstd, &out, &in);
    z->at = in.pos;
    *got = out.pos;
    if (!ZSTD_isError(hint)) {
        z->between = hint == 0;
        return KIN_OK;
    }
    ZSTD_ErrorCode code = ZSTD_getErrorCode(hint);
    if (code == ZSTD_error_memory_allocation)
        return no_memory(z, err);
    if (code == ZSTD_error_frameParameter_windowTooLarge) {
        z->broken = KIN_E_LIMIT;
        return kin_err_set(err, KIN_E_LIMIT, "zstd: the frame needs more than 128 MiB of memory");
    }
    return corrupt(z, ZSTD_getErrorName(hint), err);
}

static kin_status refill(struct kin_inflate *z, struct kin_err *err)
{
    size_t got = 0;
    kin_status status = z->raw.read(z->raw.arg, z->block, sizeof z->block, &got, err);
    if (status)
        return status;
    z->at = 0;
    z->end = got;
    z->raw_bytes += got;
    z->raw_ended = got == 0;
    return KIN_OK;
}

static kin_status inflate_read(void *arg, uint8_t *to, size_t cap, size_t *got, struct kin_err *err)
{
    struct kin_inflate *z = arg;
    if (z->compression == KIN_PLAIN)
        return z->raw.read(z->raw.arg, to, cap, got, err);
    if (cap == 0)
        return kin_err_set(err, KIN_E_INVAL, "a read of no bytes");
    if (z->broken)
        return kin_err_set(err, z->broken, "the compressed stream failed before");
    for (;;) {
        kin_status status = KIN_OK;
        if (z->at == z->end && !z->raw_ended)
            status = refill(z, err);
        if (status)
            return status;
        bool dry = z->at == z->end; /* then the decoder may still have output */
        *got = 0;
        if (dry && z->between)
            return KIN_OK;
        size_t before = z->at;
        status = z->compression == KIN_GZIP ? step_gzip(z, to, cap, got, err)
                                            : step_zstd(z, to, cap, got, err);
        if (status || *got)
            return status;
        if (dry)
            return corrupt(z, "the compressed stream is cut short", err);
        if (z->at == before && !z->between)
            return corrupt(z, "the compressed stream makes no progress", err);
    }
}

struct kin_byte_source kin_inflate_source(struct kin_inflate *inflate)
{
    return (struct kin_byte_source){inflate_read, inflate};
}

#include "common/workflow/terminal.h"

#include "common/workflow/utf8.h"

size_t kin_terminal_put(struct kin_buf *out, struct kin_str text, size_t columns)
{
    size_t shown = 0;
    for (size_t i = 0; i < text.n && shown < columns; shown++) {
        uint32_t c = 0;
        size_t bytes = kin_utf8_step(text.p + i, text.n - i, &c);
        if (!bytes || kin_utf8_is_control(c) || c == '\n' || c == '\r' || c == '\t')
            kin_buf_putc(out, '?');
        else
            kin_buf_put(out, text.p + i, bytes);
        i += bytes ? bytes : 1;
    }
    return shown;
}

static size_t characters(struct kin_str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; n++) {
        uint32_t c;
        size_t bytes = kin_utf8_step(text.p + i, text.n - i, &c);
        i += bytes ? bytes : 1;
    }
    return n;
}

void kin_terminal_cell(struct kin_buf *out, struct kin_str text, size_t columns)
{
    bool cut = characters(text) > columns && columns > 3;
    size_t n = kin_terminal_put(out, text, cut ? columns - 3 : columns);
    if (cut) {
        kin_buf_puts(out, "...");
        n += 3;
    }
    for (; n < columns; n++)
        kin_buf_putc(out, ' ');
}

/* Codes in running text. */
#include "common/record/codes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void codes_are_found_in_names_of_products(void **state)
{
    (void)state;
    static const struct {
        const char *text, *codes; /* parted by blanks */
    } cases[] = {
        {"Sony Turntable - PSLX350H", "PSLX350H"},
        {"Sony PS-LX350H/ Belt Drive", "PS-LX350H"},
        {"Notebook VGNZ570N/B, black", "VGNZ570N/B"},
        {"(AM53BK) 'X100'", "AM53BK X100"},
        {"Remote 711719707608", "711719707608"},
        {"010-00504-00", "010-00504-00"},
        {"120GB 1080p 5-disc 2.4GHz 24'", ""},
        {"4711 a1 mp3 33-1/3", ""},
        {"mp34", "mp34"},
        {"\xc3\x84\x62\x63\x31", "\xc3\x84\x62\x63\x31"},
        {"words only", ""},
        {"- -- /./ ", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kin_str text = kin_str_of(cases[i].text), code;
        struct kin_buf found = {0};
        for (size_t at = 0; kin_code_next(text, &at, &code);) {
            kin_buf_puts(&found, found.n ? " " : "");
            kin_buf_put(&found, code.p, code.n);
            assert_in_range(at, 1, text.n);
        }
        kin_buf_putc(&found, '\0');
        assert_string_equal((const char *)found.p, cases[i].codes);
        kin_buf_deinit(&found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_found_in_names_of_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

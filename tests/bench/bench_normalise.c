/* Values normalised per second, one thread, by type. bench_normalise [seconds per line, 0.5] */
#include "common/record/normalise.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct load {
    const char *label;
    struct kin_field field;
    const char *const *texts;
};

static const char *const ascii_names[] = {"Smith",    "JOHNSON", "O'Brien",   "Mary Ann",
                                          "de Vries", "Robert",  "Taylor Jr", NULL};
static const char *const accented_names[] = {"José García-López", "Müller",         "Łukasz Wałęsa",
                                             "Søren Kierkegaard", "Nguyễn Văn Đức", NULL};
static const char *const other_names[] = {"山田　太郎", "김철수", "Чайковский",
                                          "राम कुमार",   "أحمد",   NULL};
static const char *const texts[] = {"iPhone 12-Pro (64GB), space grey, unlocked",
                                    "Joe's Pizza & Pasta Inc.", NULL};
static const char *const emails[] = {"Joe.Smith+news@Example.COM", "j.o.e@googlemail.com", NULL};
static const char *const phones[] = {"(020) 7946-0958", "+44 20 7946 0958", "0044 20 7946 0958",
                                     NULL};
static const char *const dates[] = {"1980-04-03", "19800403", "1980-04-03 10:11:12", NULL};
static const char *const word_dates[] = {"3 April 1980", "Apr 3rd, 1980", NULL};
static const char *const postcodes[] = {"SW1A 1AA", "12345-6789", NULL};
static const char *const ids[] = {"AB-123/45.6", "0012 3345", NULL};
static const char *const numbers[] = {"1,234.56", "42", "-3.14", "$12.50", NULL};
static const char *const places[] = {"48.8584, 2.2945", "POINT(2.2945 48.8584)", NULL};
static const char *const addresses[] = {"123 North Main Street, Apartment 12b",
                                        "P.O. Box 12, 5th Avenue", NULL};

/* Of this process: what else runs on the machine does not count. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run(struct kin_norm_scratch *s, const struct load *load, double seconds)
{
    struct kin_str values[16];
    size_t count = 0, bytes = 0;
    for (; load->texts[count]; count++) {
        values[count] = kin_str_of(load->texts[count]);
        bytes += values[count].n;
    }
    uint64_t rounds = 0, sum = 0;
    double start = now(), passed;
    do {
        for (unsigned i = 0; i < 10000; i++) {
            for (size_t k = 0; k < count; k++) {
                struct kin_norm_value v = {NULL, 0, false};
                kin_normalise(s, &load->field, values[k], &v);
                sum += v.bytes;
            }
        }
        rounds += 10000;
        passed = now() - start;
    } while (passed < seconds);
    double per_second = (double)(rounds * count) / passed;
    printf("%-22s %8.2f M/s %8.1f ns %8.0f MB/s  (%llu)\n", load->label, per_second / 1e6,
           1e9 / per_second, (double)bytes * (double)rounds / passed / 1e6,
           (unsigned long long)(sum / rounds));
}

int main(int argc, char **argv)
{
    const struct load loads[] = {
        {"name, short ASCII", {.type = KIN_TYPE_NAME}, ascii_names},
        {"name, Latin accents", {.type = KIN_TYPE_NAME}, accented_names},
        {"name, other scripts", {.type = KIN_TYPE_NAME}, other_names},
        {"text", {.type = KIN_TYPE_TEXT}, texts},
        {"email", {.type = KIN_TYPE_EMAIL}, emails},
        {"phone", {.type = KIN_TYPE_PHONE, .country = "GB"}, phones},
        {"date, ISO", {.type = KIN_TYPE_DATE}, dates},
        {"date, words", {.type = KIN_TYPE_DATE}, word_dates},
        {"postcode", {.type = KIN_TYPE_POSTCODE}, postcodes},
        {"id", {.type = KIN_TYPE_ID}, ids},
        {"number", {.type = KIN_TYPE_NUMBER}, numbers},
        {"geo", {.type = KIN_TYPE_GEO}, places},
        {"address", {.type = KIN_TYPE_ADDRESS}, addresses},
    };
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.5;
    struct kin_norm_scratch *s = kin_norm_scratch_new();
    if (!s)
        return 1;
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++)
        run(s, &loads[i], seconds);
    kin_norm_scratch_free(s);
    return 0;
}

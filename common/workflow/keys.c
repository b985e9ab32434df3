/* The keys of a workflow file. Rows are checked in this order, so that what later ones refer to is
 * there: fields before sources and rules, block_on before the model, that before cluster.
 * docs/workflow.md has the same rows; a test compares. */
#include "common/workflow/check.h"

#include <string.h>

#define UNSUPPORTED(name)             \
    {                                 \
        (name), "", "", NULL, 0, 0, 0 \
    }

static const struct kin_check_key top_keys[] = {
    {"kindred", "the format's version, 1", NULL, kin_check_version, 0, 0, 0},
    {"workflow", "a name of letters, digits, _ and -", NULL, kin_check_workflow_name, 0, 0, 0},
    {"fields", "a map of field names to types", NULL, kin_check_fields, 0, 0, 0},
    {"sources", "a map of source names to sources", NULL, kin_check_sources, 0, 0, 0},
    {"rules", "a list of rules", "none, with a model", kin_check_rules, 0, 0, 0},
    {"never", "a list of rules", "none", kin_check_never, 0, 0, 0},
    {"block_on", "a list of lists of terms", "derived from the rules", kin_check_block_on, 0, 0, 0},
    {"refine", "a list of fields", "all text fields and dates", kin_check_refine, 0, 0, 0},
    {"model", "a map", "none", kin_check_model, 0, 0, 0},
    {"pairs", "all or across_sources", "all", kin_check_pairs, 0, 0, 0},
    {"cluster", "a map", "see cluster", kin_check_cluster, 0, 0, 0},
    {"links", "a map", "none", kin_check_links, 0, 0, 0},
    {"golden", "a map of fields to strategies", "most_complete", kin_check_golden, 0, 0, 0},
    {"limits", "a map of limits", "see limits", kin_check_limits, 0, 0, 0},
};

#define SOURCE(member) offsetof(struct kin_workflow_source, member)
static const struct kin_check_key source_keys[] = {
    {"path", "a file or pattern, or a list of them", NULL, kin_check_source_path, 0, 0, 0},
    {"format", "csv or jsonl", "by the file's name", kin_check_source_format, 0, 0, 0},
    {"delimiter", "one character, or tab", "found from the header", kin_check_source_delimiter, 0,
     0, 0},
    {"id", "the column that names a record", NULL, kin_check_column, 0, 0, SOURCE(id)},
    {"updated", "a column with a time", "none", kin_check_column, 0, 0, SOURCE(updated)},
    {"columns", "a map of fields to columns", "as `fields` says", kin_check_source_columns, 0, 0,
     0},
};

static const struct kin_check_key field_keys[] = {
    {"type", "a type", NULL, kin_check_field_type, 0, 0, 0},
    {"order", "ymd, dmy or mdy", "ymd", kin_check_field_order, 0, 0, 0},
    {"extract", "codes", "none", kin_check_field_extract, 0, 0, 0},
    {"country", "an ISO 3166 code of two capitals", "none", kin_check_field_country, 0, 0, 0},
    {"columns", "a column name or a list of them", "the field's name", kin_check_field_columns, 0,
     0, 0},
};

static const struct kin_check_key rule_keys[] = {
    {"name", "a name", "rule N", kin_check_rule_name, 0, 0, 0},
    {"when", "a condition", NULL, kin_check_rule_when, 0, 0, 0},
};

/* compare first: without it the rest is not looked at */
static const struct kin_check_key model_keys[] = {
    {"compare", "a map of comparisons", NULL, kin_check_model_compare, 0, 0, 0},
    {"threshold", "a probability, or a weight", "0.95", kin_check_model_threshold, 0, 0, 0},
    {"thresholds", "a list of them", "none", kin_check_model_thresholds, 0, 0, 0},
    {"primary", "one of the thresholds", "the only one", kin_check_model_primary, 0, 0, 0},
    {"file", "the file of a trained model", "none", kin_check_model_file, 0, 0, 0},
    {"train", "true, or a map", "true, without a file", kin_check_model_train, 0, 0, 0},
};

static const struct kin_check_key threshold_keys[] = {
    {"weight", "a number, -64 to 64", NULL, kin_check_threshold_weight, 0, 0, 0},
};

#define PAIRS(name, default)                                                                     \
    {                                                                                            \
#name, "a whole number, 10000 to 1000000000", default, kin_check_u32, 10000, 1000000000, \
            offsetof(struct kin_workflow_model, name)                                            \
    }
static const struct kin_check_key train_keys[] = {
    {"passes", "a list of items of block_on", "all of block_on", kin_check_train_passes, 0, 0, 0},
    PAIRS(random_pairs, "40 for each record, 200000 to 1000000"),
    PAIRS(pass_pairs, "1000000"),
};

static const struct kin_check_key comparison_keys[] = {
    {"fields", "a list of fields", "the field of that name", kin_check_comparison_fields, 0, 0, 0},
    {"levels", "a list of levels", NULL, kin_check_comparison_levels, 0, 0, 0},
    {"term_frequency", "true or false", "false", kin_check_comparison_term_frequency, 0, 0, 0},
};

static const struct kin_check_key cluster_keys[] = {
    {"method", "connected or linkage", "linkage with a model, else connected", kin_check_method, 0,
     0, 0},
    {"clean_sources", "a list of sources", "none", kin_check_clean_sources, 0, 0, 0},
    UNSUPPORTED("edge_floor"),
};

static const struct kin_check_key links_keys[] = {
    {"file", "a file or pattern, or a list of them", NULL, kin_check_links_file, 0, 0, 0},
};

#define LIMIT(name, fallback, min, max)                                                 \
    {                                                                                   \
#name, "a whole number, " #min " to " #max, #fallback, kin_check_u32, min, max, \
            offsetof(struct kin_limits, name)                                           \
    }
static const struct kin_check_key limit_keys[] = {
    LIMIT(max_block, 5000, 2, 1000000),
    LIMIT(window, 50, 2, 10000),
    LIMIT(max_group, 500, 2, 1000000000),
    LIMIT(max_keys, 64, 1, 1024),
    LIMIT(max_field_bytes, 65536, 64, 65536),
    LIMIT(max_record_bytes, 1048576, 1024, 16777216),
    LIMIT(max_veto_group, 5000, 2, 1000000),
    {"memory", "a whole number of MiB, 0 to 67108864", "a quarter of the machine's", kin_check_u32,
     0, 67108864, offsetof(struct kin_limits, memory)},
    UNSUPPORTED("candidates"),
};
_Static_assert(KIN_KEYS_MAX == 1024 && KIN_FIELD_BYTES_MAX == 65536, "bounds of limits");

#define TABLE(path, keys)                             \
    {                                                 \
        (path), (keys), sizeof(keys) / sizeof *(keys) \
    }
static const struct kin_check_table tables[KIN_CHECK_MAPS] = {
    [KIN_CHECK_TOP] = TABLE("", top_keys),
    [KIN_CHECK_SOURCE] = TABLE("sources.NAME", source_keys),
    [KIN_CHECK_FIELD] = TABLE("fields.NAME", field_keys),
    [KIN_CHECK_RULE] = TABLE("rules[N]", rule_keys),
    [KIN_CHECK_MODEL] = TABLE("model", model_keys),
    [KIN_CHECK_THRESHOLD] = TABLE("model.threshold", threshold_keys),
    [KIN_CHECK_TRAIN] = TABLE("model.train", train_keys),
    [KIN_CHECK_COMPARISON] = TABLE("model.compare.NAME", comparison_keys),
    [KIN_CHECK_CLUSTER] = TABLE("cluster", cluster_keys),
    [KIN_CHECK_LINKS] = TABLE("links", links_keys),
    [KIN_CHECK_LIMITS] = TABLE("limits", limit_keys),
};

const struct kin_check_table *kin_check_table(enum kin_check_map map)
{
    return &tables[map];
}

bool kin_check_is_reserved(struct kin_str name)
{
    static const char *const reserved[] = {"match_id",   "size",       "source",     "id",
                                           "match_rule", "confidence", "group_size", "default"};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (kin_str_eq(name, kin_str_of(reserved[i])))
            return true;
    }
    return false;
}

bool kin_check_is_country(struct kin_str code)
{
    static const char countries[] =
        "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICK"
        "CLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGS"
        "GTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULV"
        "LYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPM"
        "PNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTR"
        "TTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW";
    _Static_assert(sizeof countries == 249 * 2 + 1, "ISO 3166-1 has 249 codes");
    if (code.n != 2)
        return false;
    for (size_t i = 0; i + 1 < sizeof countries; i += 2) {
        if (memcmp(countries + i, code.p, 2) == 0)
            return true;
    }
    return false;
}

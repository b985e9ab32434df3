#include "client/suggest_words.h"

#include <string.h>

static const struct kin_meaning_info infos[KIN_MEANS_COUNT] = {
    [KIN_MEANS_NOTHING] = {"of unknown meaning", NULL},
    [KIN_MEANS_RECORD_ID] = {"id", NULL},
    [KIN_MEANS_REFERENCE] = {"number or code", NULL},
    [KIN_MEANS_UPDATED] = {"time of the last change", NULL},
    [KIN_MEANS_CREATED] = {"time of creation", NULL},
    [KIN_MEANS_LABEL] = {"result of an earlier matching", NULL},
    [KIN_MEANS_ORIGIN] = {"origin", NULL},
    [KIN_MEANS_FIRST_NAME] = {"first name", "first_name"},
    [KIN_MEANS_MIDDLE_NAME] = {"middle name", "middle_name"},
    [KIN_MEANS_LAST_NAME] = {"last name", "last_name"},
    [KIN_MEANS_FULL_NAME] = {"whole name", "full_name"},
    [KIN_MEANS_NAME] = {"name", "name"},
    [KIN_MEANS_NAME_PART] = {"title before or behind a name", NULL},
    [KIN_MEANS_ORGANISATION] = {"organisation", "organisation"},
    [KIN_MEANS_BIRTH] = {"birth date", "birth_date"},
    [KIN_MEANS_AGE] = {"age", "age"},
    [KIN_MEANS_GENDER] = {"gender", "gender"},
    [KIN_MEANS_EMAIL] = {"e-mail address", "email"},
    [KIN_MEANS_PHONE] = {"telephone", "phone"},
    [KIN_MEANS_FAX] = {"fax number", "fax"},
    [KIN_MEANS_URL] = {"web address", "url"},
    [KIN_MEANS_ADDRESS] = {"address", "address"},
    [KIN_MEANS_HOUSE] = {"house number", "house_number"},
    [KIN_MEANS_CITY] = {"city", "city"},
    [KIN_MEANS_STATE] = {"state", "state"},
    [KIN_MEANS_POSTCODE] = {"postcode", "postcode"},
    [KIN_MEANS_COUNTRY] = {"country", "country"},
    [KIN_MEANS_PLACE] = {"place", "place"},
    [KIN_MEANS_COORDINATE] = {"half of a place", NULL},
    [KIN_MEANS_PERSON_ID] = {"document number", NULL},
    [KIN_MEANS_THING_ID] = {"official number", NULL},
    [KIN_MEANS_TITLE] = {"title", "title"},
    [KIN_MEANS_AUTHOR] = {"author", "author"},
    [KIN_MEANS_MAKER] = {"maker or publisher", NULL},
    [KIN_MEANS_YEAR] = {"year", "year"},
    [KIN_MEANS_PRICE] = {"price", "price"},
    [KIN_MEANS_DATE] = {"date", NULL},
    [KIN_MEANS_CATEGORY] = {"category", NULL},
    [KIN_MEANS_TEXT] = {"description", NULL},
    [KIN_MEANS_AMOUNT] = {"amount", NULL},
};

const struct kin_meaning_info *kin_meaning_info(enum kin_meaning meaning)
{
    return &infos[meaning];
}

/* Words of names, alternatives parted by |. Where several fit, the longest does; see score(). */
static const struct {
    enum kin_meaning meaning;
    const char *words;
} table[] = {
    {KIN_MEANS_RECORD_ID,
     "id|record id|rec id|row id|uid|uuid|guid|pk|record key|record number|recid|"
     "recordid|rowid|identifier|customer id|client id|person id|member id|"
     "user id|patient id|contact id|employee id|student id|party id|lead id|"
     "customer number|client number|member number|patient number|customerid|"
     "customer no|userid|personid|contactid|kundennummer|kdnr"},
    {KIN_MEANS_REFERENCE, "key|ref|reference|code|number|no|nr|num|nbr|account|account number|"
                          "account id|pointer|foreign id|parent id|external id"},
    {KIN_MEANS_UPDATED,
     "updated|modified|changed|last updated|last modified|last changed|updated at|"
     "modified at|changed at|update time|update date|modified date|"
     "modification date|modification time|last update|lastmodified|lastupdated|"
     "last modified date|updated on|modified on|date updated|date modified|"
     "timestamp|date changed"},
    {KIN_MEANS_CREATED, "created|created at|created on|creation date|date created|create date|"
                        "inserted|inserted at|load date|loaded at|registered|registration date|"
                        "signup date"},
    {KIN_MEANS_LABEL,
     "entity|entity id|cluster|cluster id|group id|match id|match group|duplicate of|"
     "golden id|dedupe id|dedup id|canonical id|true id|ground truth|is match|"
     "true entity|entityid|clusterid|test group"},
    {KIN_MEANS_ORIGIN, "source|data source|datasource|source system|origin|system|file|filename|"
                       "file name|dataset|source file|feed"},
    {KIN_MEANS_FIRST_NAME,
     "first name|given name|forename|fname|gname|firstname|givenname|christian "
     "name|name first|name given|first|given|vorname|prenom|nombre|nombres|"
     "voornaam|fornavn|given names|first names|forenames|firstnm|fst name"},
    {KIN_MEANS_MIDDLE_NAME,
     "middle name|middlename|name middle|mname|middle initial|middle|initials|"
     "second name"},
    {KIN_MEANS_LAST_NAME, "last name|surname|family name|lname|lastname|familyname|name last|name "
                          "family|last|nachname|familienname|nom|nom de famille|apellido|apellidos|"
                          "achternaam|etternavn|cognome|sname|lst name|lastnm|maiden name"},
    {KIN_MEANS_FULL_NAME, "full name|fullname|name full|person name|customer name|contact name|"
                          "personname|customername|patient name|member name|employee name|client "
                          "name|display name|owner name|complete name"},
    {KIN_MEANS_NAME, "name|naam|navn|label"},
    {KIN_MEANS_NAME_PART, "salutation|honorific|name prefix|name suffix|prefix|suffix|anrede|"
                          "name generation"},
    {KIN_MEANS_ORGANISATION,
     "organisation|organization|org|company|firm|business|employer|agency|"
     "company name|business name|organisation name|organization name|org name|"
     "name org|name organization|firm name|trade name|trading name|legal "
     "name|corporation|site name|school|institution|institute|affiliation|"
     "restaurant|hotel|venue name|place name|facility|facility name|supplier|"
     "vendor|firma|entreprise|empresa|dba|hospital|university|shop|store|"
     "store name|account name"},
    {KIN_MEANS_BIRTH,
     "dob|date of birth|birth date|birthdate|birthday|birth dt|dateofbirth|born|born "
     "on|birth|geburtsdatum|date naissance|date de naissance|fecha nacimiento|"
     "fecha de nacimiento|geboortedatum|bdate|d o b"},
    {KIN_MEANS_AGE, "age|alter|edad"},
    {KIN_MEANS_GENDER, "gender|sex|geschlecht|sexe|sexo"},
    {KIN_MEANS_EMAIL, "email|e mail|mail|email address|e mail address|emailaddress|mail address|"
                      "emailaddr|correo|courriel"},
    {KIN_MEANS_PHONE,
     "phone|telephone|tel|mobile|cell|landline|phone number|phonenumber|phone no|"
     "telephone number|tel no|tel nr|mobile number|mobile phone|cell phone|cellphone|"
     "home phone|work phone|contact number|msisdn|telefon|telefono|telephone no|"
     "handy|mobil|mobilephone|phone nr|telnr|telno"},
    {KIN_MEANS_FAX, "fax|fax number|telefax|fax no"},
    {KIN_MEANS_URL, "url|website|web site|homepage|web|www|web address|link|uri"},
    {KIN_MEANS_ADDRESS, "address|street|addr|address line|addr line|street address|addr full|full "
                        "address|address street|street name|road|strasse|adresse|direccion|straat|"
                        "indirizzo|postal address|mailing address|home address|addr street|"
                        "streetaddress|addressline|street line|calle|via"},
    {KIN_MEANS_HOUSE, "house number|street number|house no|house nr|hausnummer|housenumber|"
                      "streetnumber|street no|building number|huisnummer|house"},
    {KIN_MEANS_CITY,
     "city|town|suburb|locality|municipality|address city|addr city|city name|ort|"
     "stadt|ville|ciudad|plaats|village|cityname|place of residence|commune|hometown|"
     "city of residence|borough"},
    {KIN_MEANS_STATE,
     "state|province|region|county|addr state|address state|state code|state "
     "province|department|canton|bundesland|stateprovince|neighborhood|neighbourhood|"
     "district"},
    {KIN_MEANS_POSTCODE,
     "postcode|post code|postal code|zip|zip code|zipcode|postalcode|plz|addr "
     "postal code|address postal code|code postal|codigo postal|pincode|pin code|"
     "eircode|cap|postleitzahl|postal|zip 5"},
    {KIN_MEANS_COUNTRY,
     "country|nation|country code|nationality|addr country|land|pays|pais|citizenship|"
     "country name"},
    {KIN_MEANS_PLACE, "location|geo|coordinates|latlon|lat lon|lat long|latlng|lat lng|geolocation|"
                      "geo point|point|position|coords|latitude longitude"},
    {KIN_MEANS_COORDINATE, "latitude|longitude|lat|lon|lng|long"},
    {KIN_MEANS_PERSON_ID,
     "ssn|social security|social security number|soc sec id|sin|nino|national id|"
     "national id number|national insurance|national insurance number|passport|"
     "passport number|passport no|drivers license|drivers license number|driver "
     "license|driving licence|driving licence number|license number|licence "
     "number|licence|license|tax id|tax number|tin|nhs number|medicare|medicare "
     "number|personal number|person number|personnummer|nif|dni|cpf|curp|"
     "steuernummer|steuer id|ssn number|social|national identifier|identity "
     "number|id number|id card|document number|medical record number|mrn"},
    {KIN_MEANS_THING_ID,
     "vat|vat number|vat id|duns|duns number|ein|lei|company number|registration "
     "number|siret|siren|isbn|issn|doi|ean|upc|gtin|asin|sku|mpn|part number|"
     "model number|modelno|barcode|imei|serial number|vin|charity number|crn|"
     "license plate|iban|bic|item number|catalog number|catalogue number|model|"
     "npi|dea number"},
    {KIN_MEANS_TITLE,
     "title|product|product name|item|item name|song|track|tracks|headline|subject|"
     "book title|product title|movie|film|album|work|publication|beer name|"
     "song name|paper title"},
    {KIN_MEANS_AUTHOR, "author|authors|artist|creator|writer|composer|performer|artist name|"
                       "editor|editors|contributors"},
    {KIN_MEANS_MAKER, "manufacturer|brand|publisher|journal|venue|conference|booktitle|maker|brand "
                      "name|producer|label name|factory|brew factory|studio|series"},
    {KIN_MEANS_YEAR, "year|jahr|publication year|pub year|release year|annee"},
    {KIN_MEANS_PRICE, "price|cost|list price|unit price|msrp|preis|prix|precio"},
    {KIN_MEANS_DATE,
     "date|day|time|datum|valid until|valid from|expiry|expires|until|since|start|end|"
     "date time|datetime"},
    {KIN_MEANS_CATEGORY,
     "type|status|kind|category|class|flag|group|segment|genre|cuisine|occupation|"
     "profession|job|job title|occup|language|currency|marital status|role|"
     "active|deleted|verified|valid|source type|level|tier|rating|race|ethnicity|"
     "party|month|volume|pages|issue"},
    {KIN_MEANS_TEXT,
     "description|notes|note|comment|comments|remarks|summary|abstract|text|details|"
     "desc|memo|bio|content|body"},
    {KIN_MEANS_AMOUNT, "amount|count|quantity|balance|total|value|score|salary|income|revenue|size|"
                       "weight|height|length|abv|duration|sales|turnover|employees|percent|qty"},
};

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

size_t kin_words_of(struct kin_str name, char out[KIN_WORDS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < name.n && n + 3 < KIN_WORDS_MAX; i++) {
        char c = name.p[i];
        char before = i ? name.p[i - 1] : '\0', after = i + 1 < name.n ? name.p[i + 1] : '\0';
        bool letter = is_lower(c) || is_upper(c) || (unsigned char)c >= 0x80;
        /* firstName, PRIMARYName */
        bool hump = is_upper(c) && (is_lower(before) || (is_upper(before) && is_lower(after)));
        if ((!letter || hump) && n && out[n - 1] != ' ')
            out[n++] = ' ';
        if (letter)
            out[n++] = (char)(is_upper(c) ? c + 32 : c);
    }
    if (n && out[n - 1] != ' ')
        out[n++] = ' ';
    out[n] = '\0';
    return n;
}

static unsigned count_words(const char *p, size_t n)
{
    unsigned words = 0;
    for (size_t i = 0; i < n; i++)
        words += p[i] == ' ';
    return words;
}

/* How well an alternative fits: it is the whole name, or its words stand together in it, best at
 * the end, where the main word is (PHONE_TYPE is a type, not a phone). 0: it does not. */
static unsigned score(const char *name, size_t n, const char *alternative, size_t length,
                      bool may_lead)
{
    char wanted[64];
    if (length + 1 >= sizeof wanted || length + 1 > n)
        return 0;
    memcpy(wanted, alternative, length);
    wanted[length] = ' ';
    unsigned words = count_words(wanted, length + 1), all = count_words(name, n), best = 0;
    for (size_t at = 0; at + length + 1 <= n; at++) {
        if ((at > 0 && name[at - 1] != ' ') || memcmp(name + at, wanted, length + 1) != 0)
            continue;
        bool last = at + length + 1 == n;
        if (!last && words == 1 && !may_lead)
            continue;
        unsigned s = 100 * words + (last ? 150 : 0) + (words == all ? 40 : 0) + 10 - all % 10;
        best = s > best ? s : best;
    }
    return best;
}

/* email_home is an e-mail address, but first_seen no first name: one word that is not the last says
 * enough only where the values can confirm it. */
static bool may_lead(enum kin_meaning meaning)
{
    return meaning == KIN_MEANS_EMAIL || meaning == KIN_MEANS_PHONE ||
           meaning == KIN_MEANS_ADDRESS || meaning == KIN_MEANS_POSTCODE ||
           meaning == KIN_MEANS_CITY || meaning == KIN_MEANS_BIRTH;
}

/* firstname within "customerfirstname ": only long words, only at the end. */
static unsigned score_joined(const char *name, size_t n, const char *alternative, size_t length)
{
    if (length < 5 || length + 1 > n || memchr(alternative, ' ', length))
        return 0;
    return memcmp(name + n - 1 - length, alternative, length) == 0 ? (unsigned)length : 0;
}

enum kin_meaning kin_meaning_of(struct kin_str column, const char **words)
{
    char name[KIN_WORDS_MAX];
    size_t n = kin_words_of(column, name);
    enum kin_meaning meaning = KIN_MEANS_NOTHING;
    unsigned best = 0;
    *words = NULL;
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        for (const char *p = table[t].words; *p;) {
            size_t length = strcspn(p, "|");
            unsigned s = score(name, n, p, length, may_lead(table[t].meaning));
            s = s ? s : score_joined(name, n, p, length);
            if (s > best) {
                best = s;
                meaning = table[t].meaning;
                *words = p;
            }
            p += length + (p[length] == '|');
        }
    }
    return meaning;
}

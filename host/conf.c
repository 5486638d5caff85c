/* Decides what a configuration file may say. Never guesses: an unknown key, a missing one or a
 * wrong value is refused with its line. */
#include "host/conf.h"

#include "base/check.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/slice.h"

#include <cyaml/cyaml.h>
#include <stdio.h>
#include <string.h>

#define TEXT_FIELD(key, type, member) \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER, type, member, 1, 255)
#define TEXT_FIELD_OPTIONAL(key, type, member) \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, 1, 255)

static const cyaml_strval_t kinds[] = {
    { "controller", CONF_KIND_CONTROLLER },
    { "node", CONF_KIND_NODE },
};

static const cyaml_schema_field_t user_fields[] = {
    TEXT_FIELD("program", struct conf_user, program),
    TEXT_FIELD("user", struct conf_user, user),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t user_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_user, user_fields),
};

static const cyaml_schema_field_t setting_fields[] = {
    TEXT_FIELD("program", struct conf_setting, program),
    TEXT_FIELD("name", struct conf_setting, name),
    TEXT_FIELD("value", struct conf_setting, value),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t setting_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_setting, setting_fields),
};

static const cyaml_schema_field_t conf_fields[] = {
    CYAML_FIELD_ENUM("kind", CYAML_FLAG_STRICT, struct conf, kind, kinds, COUNT_OF(kinds)),
    TEXT_FIELD("name", struct conf, name),
    TEXT_FIELD("data", struct conf, data),
    TEXT_FIELD("run", struct conf, run),
    TEXT_FIELD_OPTIONAL("programs", struct conf, programs),
    TEXT_FIELD_OPTIONAL("api", struct conf, api),
    TEXT_FIELD_OPTIONAL("link", struct conf, link),
    TEXT_FIELD_OPTIONAL("underlay", struct conf, underlay),
    TEXT_FIELD_OPTIONAL("cgroup", struct conf, cgroup),
    CYAML_FIELD_SEQUENCE(
        "users",
        CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
        struct conf,
        users,
        &user_schema,
        0,
        CONF_USERS_MAX),
    CYAML_FIELD_SEQUENCE(
        "settings",
        CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
        struct conf,
        settings,
        &setting_schema,
        0,
        CONF_SETTINGS_MAX),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t conf_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct conf, conf_fields),
};

static const cyaml_schema_field_t peer_fields[] = {
    TEXT_FIELD("id", struct conf_peer, id),
    TEXT_FIELD("name", struct conf_peer, name),
    TEXT_FIELD("link", struct conf_peer, link),
    TEXT_FIELD("api", struct conf_peer, api),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t peer_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_peer, peer_fields),
};

static const cyaml_schema_field_t identity_fields[] = {
    CYAML_FIELD_UINT("cell", CYAML_FLAG_DEFAULT, struct conf_identity, cell),
    TEXT_FIELD("id", struct conf_identity, id),
    CYAML_FIELD_BOOL("first", CYAML_FLAG_OPTIONAL, struct conf_identity, first),
    CYAML_FIELD_SEQUENCE(
        "controllers",
        CYAML_FLAG_POINTER,
        struct conf_identity,
        controllers,
        &peer_schema,
        1,
        CONF_PEERS_MAX),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t identity_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct conf_identity, identity_fields),
};

/* libcyaml says what is wrong and, in a second line, where. Both go into one sentence. */
static void keep_error(cyaml_log_t level, void *context, const char *format, va_list list)
{
    char *error = context;
    if (level < CYAML_LOG_ERROR) {
        return;
    }
    size_t used = strlen(error);
    (void)vsnprintf(error + used, CONF_ERROR_MAX - used, format, list);
    for (char *at = error; *at != '\0'; at++) {
        *at = *at == '\n' ? ' ' : *at;
    }
}

static const cyaml_config_t *config_for(char *error, cyaml_config_t *room)
{
    error[0] = '\0';
    *room = (cyaml_config_t){
        .log_fn = keep_error,
        .log_ctx = error,
        .mem_fn = cyaml_mem,
        .log_level = CYAML_LOG_ERROR,
        .flags = CYAML_CFG_NO_ALIAS,
    };
    return room;
}

static RESULT say(char *error, const char *what)
{
    (void)snprintf(error, CONF_ERROR_MAX, "%s", what);
    return FAIL(FAILURE_BAD_INPUT);
}

static RESULT conf_valid(const struct conf *conf, char *error)
{
    if (!text_is_name(conf->name)) {
        return say(error, "name: lower-case letters, digits and hyphens, at most 63");
    }
    if (conf->data[0] != '/' || conf->run[0] != '/') {
        return say(error, "data, run: absolute paths");
    }
    if (conf->kind == CONF_KIND_CONTROLLER && (conf->api == NULL || conf->link == NULL)) {
        return say(error, "api, link: a controller needs both");
    }
    if (conf->kind == CONF_KIND_NODE && (conf->api != NULL || conf->link != NULL)) {
        return say(error, "api, link: a node listens to nobody");
    }
    if (conf->kind == CONF_KIND_NODE && conf->underlay == NULL) {
        return say(error, "underlay: a node needs its address there");
    }
    return OK;
}

RESULT conf_load(const char *path, struct conf **conf_out, char error[static CONF_ERROR_MAX])
{
    CHECK(path != NULL);
    struct conf *conf = NULL;
    cyaml_config_t room;
    const cyaml_config_t *config = config_for(error, &room);
    cyaml_err_t code = cyaml_load_file(path, config, &conf_schema, (cyaml_data_t **)&conf, NULL);
    if (code != CYAML_OK || conf == NULL) {
        return error[0] != '\0' ? FAIL(FAILURE_BAD_INPUT) : say(error, cyaml_strerror(code));
    }
    struct result valid = conf_valid(conf, error);
    if (valid.code != 0) {
        conf_free(conf);
        return valid;
    }
    *conf_out = conf;
    return OK;
}

void conf_free(struct conf *conf)
{
    char error[CONF_ERROR_MAX];
    cyaml_config_t room;
    cyaml_err_t code = cyaml_free(config_for(error, &room), &conf_schema, conf, 0);
    CHECK(code == CYAML_OK);
}

static RESULT identity_valid(const struct conf_identity *identity, char *error)
{
    uint64_t id = 0;
    if (identity->cell == 0) {
        return say(error, "cell: 1 to 65535");
    }
    bool known = id_parse(ID_CONTROLLER, identity->id, &id) || id_parse(ID_NODE, identity->id, &id);
    if (!known || id_cell(id) != identity->cell) {
        return say(error, "id: a controller's or node's id of this cell");
    }
    for (uint32_t i = 0; i < identity->controllers_count; i++) {
        const struct conf_peer *peer = &identity->controllers[i];
        if (!id_parse(ID_CONTROLLER, peer->id, &id) || id_cell(id) != identity->cell) {
            return say(error, "controllers: each needs a controller's id of this cell");
        }
        if (strlen(peer->link) >= LIMIT_ADDRESS || strlen(peer->api) >= LIMIT_ADDRESS) {
            return say(error, "controllers: an address is too long");
        }
    }
    return OK;
}

RESULT conf_identity_load(
    const char *path, struct conf_identity **identity_out, char error[static CONF_ERROR_MAX])
{
    CHECK(path != NULL);
    struct conf_identity *identity = NULL;
    cyaml_config_t room;
    const cyaml_config_t *config = config_for(error, &room);
    cyaml_err_t code =
        cyaml_load_file(path, config, &identity_schema, (cyaml_data_t **)&identity, NULL);
    if (code != CYAML_OK || identity == NULL) {
        return error[0] != '\0' ? FAIL(FAILURE_BAD_INPUT) : say(error, cyaml_strerror(code));
    }
    struct result valid = identity_valid(identity, error);
    if (valid.code != 0) {
        conf_identity_free(identity);
        return valid;
    }
    *identity_out = identity;
    return OK;
}

void conf_identity_free(struct conf_identity *identity)
{
    char error[CONF_ERROR_MAX];
    cyaml_config_t room;
    cyaml_err_t code = cyaml_free(config_for(error, &room), &identity_schema, identity, 0);
    CHECK(code == CYAML_OK);
}

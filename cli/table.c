/* Decides what the command line can say: the one table. Never decides what a verb does. */
#include "cli/verbs.h"

/* A table is read in columns, so the formatter leaves this file's rows alone. */
/* clang-format off */

#define BODY(name, type, field, value, en, ja) \
    { name, 0, type, PLACE_BODY, field, false, false, value, en, ja }
#define NEED(name, type, field, value, en, ja) \
    { name, 0, type, PLACE_BODY, field, false, true, value, en, ja }
#define MANY(name, type, field, value, en, ja) \
    { name, 0, type, PLACE_BODY, field, true, false, value, en, ja }
#define QUERY(name, type, field, value, en, ja) \
    { name, 0, type, PLACE_QUERY, field, false, false, value, en, ja }
#define LOCAL(name, type, value, en, ja) \
    { name, 0, type, PLACE_LOCAL, "", false, false, value, en, ja }
#define MUST(name, type, value, en, ja) \
    { name, 0, type, PLACE_LOCAL, "", false, true, value, en, ja }
#define END { NULL, 0, FLAG_SWITCH, PLACE_LOCAL, NULL, false, false, NULL, NULL, NULL }

#define COL(path, en, ja)       { path, en, ja, COLUMN_TEXT, COLUMN_ALWAYS }
#define WIDE(path, en, ja)      { path, en, ja, COLUMN_TEXT, COLUMN_WIDE }
#define ACROSS(path, en, ja)    { path, en, ja, COLUMN_TEXT, COLUMN_ACROSS }
#define SIZE(path, en, ja)      { path, en, ja, COLUMN_BYTES, COLUMN_ALWAYS }
#define TIME(path, en, ja)      { path, en, ja, COLUMN_TIME, COLUMN_ALWAYS }
#define COUNT(path, en, ja)     { path, en, ja, COLUMN_COUNT, COLUMN_ALWAYS }
#define LAST { NULL, NULL, NULL, COLUMN_TEXT, COLUMN_ALWAYS }

#define PROJECT QUERY("project", FLAG_TEXT, "project", "PROJECT", \
    "project; the tenant's default one if absent", "プロジェクト(省略時は既定)")
#define STALE QUERY("consistency", FLAG_CHOICE, "consistency", "linearizable|stale", \
    "stale: answer from applied state, saying its age", "stale: 適用済みの状態から答える")
#define TOKEN_FILE LOCAL("token-file", FLAG_TEXT, "FILE", "file with the token; - or absent: standard input", \
    "トークンのファイル(- または省略で標準入力)")
#define CONFIG MUST("config", FLAG_TEXT, "FILE", "this machine's configuration", "この機械の設定ファイル")
#define LINK NEED("link-address", FLAG_TEXT, "link_address", "HOST:PORT", "its management address", \
    "管理網の宛先")
#define SETUP LOCAL("setup", FLAG_TEXT, "PATH", "udatsu-setup; the one beside this program if absent", \
    "udatsu-setup の場所(省略時は隣)")
#define TTL BODY("ttl", FLAG_SECONDS, "ttl_seconds", "TIME", "life of the token; 1h if absent, at most 1d", \
    "トークンの有効期間(既定1h、最大1d)")
#define ACCOUNT { "project", 0, FLAG_TEXT, PLACE_PATH, "project", false, false, "PROJECT", \
    "the account of a project", "プロジェクトの口座" }
#define REVISION LOCAL("revision", FLAG_NUMBER, "N", \
    "only if it still stands at this revision, as show says", \
    "この版(show の revision)のままのときだけ")
#define QUANTITIES "vcpus=N,memory=SIZE,instances=N,networks=N"

const struct flag global_flags[] = {
    { "help", 'h', FLAG_SWITCH, PLACE_LOCAL, "", false, false, "",
      "show help", "使い方を表示" },
    { "output", 'o', FLAG_CHOICE, PLACE_LOCAL, "", false, false,
      "table|wide|json|jsonl|yaml|csv|name", "output format", "出力形式" },
    LOCAL("columns", FLAG_TEXT, "COLUMN,COLUMN", "only these columns, in this order",
          "この列だけをこの順で"),
    LOCAL("context", FLAG_TEXT, "NAME", "context to use", "使うコンテキスト"),
    LOCAL("endpoints", FLAG_TEXT, "URL,URL", "API addresses, tried in turn", "APIの宛先(順に試す)"),
    LOCAL("ca", FLAG_TEXT, "FILE", "the cell's CA certificate, PEM", "セルのCA証明書(PEM)"),
    LOCAL("cert", FLAG_TEXT, "FILE", "your certificate, PEM", "自分の証明書(PEM)"),
    LOCAL("key", FLAG_TEXT, "FILE", "your private key, PEM; audit verify, show: the log's public key",
          "自分の秘密鍵(PEM)。audit verify・show ではログの公開鍵"),
    LOCAL("tenant", FLAG_TEXT, "TENANT", "tenant, by name or id", "テナント(名前またはID)"),
    LOCAL("wait", FLAG_SWITCH, "", "wait until the work is done (the default)", "完了まで待つ(既定)"),
    LOCAL("no-wait", FLAG_SWITCH, "", "answer once the work is accepted", "受理されたら戻る"),
    LOCAL("timeout", FLAG_SECONDS, "TIME", "how long to wait; 5m if absent", "待つ時間(既定5m)"),
    { "yes", 'y', FLAG_SWITCH, PLACE_LOCAL, "", false, false, "",
      "do not ask before destroying", "破壊的操作の確認を省く" },
    LOCAL("idempotency-key", FLAG_TEXT, "KEY", "key of this write; made if absent",
          "書き込みの冪等キー(省略時は生成)"),
    LOCAL("lang", FLAG_CHOICE, "en|ja", "language of text for people", "人向け文章の言語"),
    { "verbose", 'v', FLAG_SWITCH, PLACE_LOCAL, "", false, false, "",
      "say which endpoint and key were used", "使った宛先とキーを表示" },
    END
};

static const struct flag list_flags[] = { STALE, END };
static const struct flag machine_token_flags[] = {
    BODY("rack", FLAG_TEXT, "place.rack", "RACK", "rack it stands in", "設置ラック"),
    BODY("site", FLAG_TEXT, "place.site", "SITE", "site it stands on", "設置サイト"),
    BODY("country", FLAG_TEXT, "place.country", "CC", "country it stands in", "設置国"),
    TTL, END
};
static const struct flag user_token_flags[] = {
    TTL, END
};
static const struct flag controller_join_flags[] = {
    TOKEN_FILE,
    CONFIG,
    NEED("api-address", FLAG_TEXT, "api_address", "HOST:PORT", "where clients will reach it",
         "クライアント向けの宛先"),
    LINK,
    SETUP, END
};
static const struct flag node_join_flags[] = {
    TOKEN_FILE,
    CONFIG,
    LINK,
    NEED("underlay-address", FLAG_TEXT, "underlay_address", "ADDRESS",
         "its address between nodes", "ノード間網の宛先"),
    SETUP, END
};
static const struct flag enroll_flags[] = {
    TOKEN_FILE,
    MUST("out", FLAG_TEXT, "DIR", "where key.pem, cert.pem and ca.pem go",
         "key.pem cert.pem ca.pem の出力先"),
    SETUP, END
};
static const struct flag renew_flags[] = {
    LOCAL("setup", FLAG_TEXT, "PATH", "udatsu-setup; the one beside this program if absent",
          "udatsu-setup の場所(省略時は隣)"),
    END
};
static const struct flag cluster_init_flags[] = {
    CONFIG,
    MUST("cell", FLAG_NUMBER, "N", "number of the cell, 1 to 65535", "セル番号(1〜65535)"),
    LOCAL("operator", FLAG_TEXT, "NAME", "the first operator's name", "最初の運用者の名前"),
    MUST("operator-out", FLAG_TEXT, "DIR", "where the first operator's files go",
         "最初の運用者の証明書などの出力先"),
    SETUP, END
};
static const struct flag tenant_create_flags[] = {
    BODY("floor", FLAG_QUANTITIES, "floor", QUANTITIES, "guaranteed", "保証する下限"),
    BODY("cap", FLAG_QUANTITIES, "cap", QUANTITIES,
         "never more than; what is left out is 0", "上限(省いたものは0)"),
    END
};
static const struct flag project_create_flags[] = {
    BODY("cap", FLAG_QUANTITIES, "cap", QUANTITIES,
         "never more than; what is left out is 0", "上限(省いたものは0)"),
    END
};
static const struct flag user_create_flags[] = {
    NEED("role", FLAG_CHOICE, "role", "operator|auditor|tenant",
         "what the person may do; tenant: of --tenant", "役割(tenant は --tenant の利用者)"),
    END
};
static const struct flag quota_flags[] = {
    ACCOUNT,
    END
};
static const struct flag quota_set_flags[] = {
    ACCOUNT,
    BODY("floor", FLAG_QUANTITIES, "floor", QUANTITIES, "guaranteed", "保証する下限"),
    BODY("cap", FLAG_QUANTITIES, "cap", QUANTITIES, "never more than; all four", "上限(4つとも)"),
    REVISION, END
};
static const struct flag network_create_flags[] = {
    NEED("cidr", FLAG_TEXT, "cidr", "A.B.C.D/N", "IPv4 range, /16 to /29", "IPv4の範囲(/16〜/29)"),
    PROJECT, END
};
static const struct flag project_flags[] = { PROJECT, STALE, END };
static const struct flag project_only_flags[] = { PROJECT, END };
static const struct flag project_change_flags[] = { REVISION, PROJECT, END };
static const struct flag tenant_delete_flags[] = { REVISION, END };
static const struct flag image_create_flags[] = {
    NEED("kernel", FLAG_DIGEST, "kernel_sha256", "FILE|SHA256", "kernel, or its digest",
         "カーネルまたはそのダイジェスト"),
    NEED("initramfs", FLAG_DIGEST, "initramfs_sha256", "FILE|SHA256", "initramfs, or its digest",
         "initramfs またはそのダイジェスト"),
    END
};
static const struct flag instance_create_flags[] = {
    NEED("image", FLAG_TEXT, "image", "IMAGE", "image to boot", "起動イメージ"),
    NEED("vcpus", FLAG_NUMBER, "vcpus", "N", "virtual processors", "仮想CPU数"),
    NEED("memory", FLAG_BYTES, "memory_bytes", "SIZE", "memory, whole MiB", "メモリ(MiB単位)"),
    MANY("network", FLAG_TEXT, "networks", "NETWORK", "network to attach, repeatable",
         "接続するネットワーク(繰り返し可)"),
    MANY("label", FLAG_LABEL, "labels", "KEY=VALUE", "label, repeatable", "ラベル(繰り返し可)"),
    BODY("stopped", FLAG_SWITCH, "stopped", "", "hold quota, start later",
         "クォータだけ確保し、後で起動"),
    BODY("on-failure", FLAG_CHOICE, "on_failure", "restart|stop",
         "when the guest dies; restart if absent", "ゲストが落ちたとき(既定restart)"),
    BODY("max-attempts", FLAG_NUMBER, "max_attempts", "N", "restarts before giving up; 3 if absent",
         "再起動の上限回数(既定3)"),
    BODY("where", FLAG_CHOICE, "where", "here|elsewhere", "where it may be repaired",
         "修復してよい場所"),
    BODY("spread", FLAG_TEXT, "spread", "WORD", "spread those with the same word over racks",
         "同じ語のものをラックに分散"),
    LOCAL("dry-run", FLAG_SWITCH, "", "only say where it would go, and why", "置き場所の案だけを示す"),
    PROJECT, END
};
static const struct flag instance_stop_flags[] = {
    BODY("force", FLAG_SWITCH, "force", "", "do not ask the guest", "ゲストに問い合わせず止める"),
    REVISION, PROJECT, END
};
static const struct flag instance_ls_flags[] = {
    { "label", 0, FLAG_LABEL, PLACE_QUERY, "label", true, false, "KEY=VALUE",
      "only with this label, repeatable", "このラベルのものだけ(繰り返し可)" },
    QUERY("node", FLAG_TEXT, "node", "NODE", "only on this node", "このノードのものだけ"),
    PROJECT, STALE, END
};
static const struct flag console_flags[] = {
    LOCAL("offset", FLAG_NUMBER, "N", "bytes to skip", "読み飛ばすバイト数"),
    PROJECT, END
};
static const struct flag event_ls_flags[] = {
    LOCAL("after", FLAG_NUMBER, "INDEX", "only later than this", "これより後だけ"),
    LOCAL("limit", FLAG_NUMBER, "N", "at most so many; all if absent", "件数の上限(既定は全件)"),
    END
};
static const struct flag event_watch_flags[] = {
    LOCAL("after", FLAG_NUMBER, "INDEX", "resume after this event", "この後から再開"),
    LOCAL("count", FLAG_NUMBER, "N", "leave after so many", "この件数で終わる"),
    END
};
static const struct flag audit_ls_flags[] = {
    LOCAL("first", FLAG_NUMBER, "SEQ", "first leaf", "最初の記録番号"),
    LOCAL("limit", FLAG_NUMBER, "N", "at most so many; all if absent", "件数の上限(既定は全件)"),
    QUERY("actor", FLAG_TEXT, "actor", "PRINCIPAL",
          "only what this user, node or controller did; cell: what the plane did by itself",
          "この主体(利用者・ノード・制御機、cell は系自身)の行為だけ"),
    QUERY("from", FLAG_TIME, "from_at", "TIME", "not before", "これ以降"),
    QUERY("to", FLAG_TIME, "to_at", "TIME", "before", "これより前"),
    END
};
static const struct flag alarm_watch_flags[] = {
    LOCAL("exec", FLAG_TEXT, "PROGRAM", "run it with each alarm as JSON on its standard input",
          "警報ごとに実行(標準入力にJSON)"),
    LOCAL("webhook", FLAG_TEXT, "URL", "post each alarm as JSON there", "警報ごとにJSONをPOST"),
    LOCAL("interval", FLAG_SECONDS, "TIME", "between two looks; 5s if absent", "確認間隔(既定5s)"),
    LOCAL("state", FLAG_TEXT, "FILE", "remembers what was delivered", "配信済みの記録先"),
    LOCAL("once", FLAG_SWITCH, "", "look once and leave", "1回だけ確認して終わる"),
    END
};
static const struct flag explain_capacity_flags[] = {
    QUERY("lose-rack", FLAG_TEXT, "lose_rack", "RACK", "could this rack be lost now?",
          "今このラックを失ってよいか"),
    { "lose", 0, FLAG_TEXT, PLACE_LOCAL, "", false, false, "rack=RACK",
      "the same, as rack=RACK", "同上(rack=RACK の形)" },
    END
};
static const struct flag context_add_flags[] = {
    LOCAL("use", FLAG_SWITCH, "", "make it the current one", "既定にする"), END
};
static const struct flag api_flags[] = {
    LOCAL("body", FLAG_TEXT, "JSON|@FILE|-", "body of the request", "要求の本文"),
    LOCAL("if-match", FLAG_TEXT, "TAG|*", "the tag that it must still have", "一致すべきタグ"), END
};
static const struct flag no_flags[] = { END };

static const struct column controller_columns[] = {
    COL("name", "NAME", "名前"), COL("role", "ROLE", "役割"), COL("leader", "LEADER", "リーダー"),
    COL("reachable", "REACHABLE", "到達"), COL("fit", "FIT", "健全"),
    COL("applied_index", "APPLIED", "適用"), COL("digest_index", "DIGEST AT", "照合位置"),
    COL("digest", "DIGEST", "ダイジェスト"), COL("place.rack", "RACK", "ラック"),
    WIDE("api_address", "API", "API"), WIDE("link_address", "LINK", "リンク"),
    WIDE("id", "ID", "ID"), LAST
};
static const struct column node_columns[] = {
    COL("name", "NAME", "名前"), COL("liveness", "LIVENESS", "生存"),
    COL("place.rack", "RACK", "ラック"), COL("virtualization", "VIRT", "仮想化"),
    COL("vcpus_placed", "VCPUS USED", "使用vCPU"), COL("vcpus", "VCPUS", "vCPU"),
    SIZE("memory_bytes_placed", "MEMORY USED", "使用メモリ"),
    SIZE("memory_bytes", "MEMORY", "メモリ"), COL("instances", "INSTANCES", "インスタンス"),
    COL("reason", "REASON", "理由"), WIDE("place.site", "SITE", "サイト"),
    WIDE("place.country", "COUNTRY", "国"), WIDE("link_address", "LINK", "リンク"),
    WIDE("underlay_address", "UNDERLAY", "ノード間"), WIDE("id", "ID", "ID"), LAST
};
static const struct column tenant_columns[] = {
    COL("name", "NAME", "名前"), COL("id", "ID", "ID"), COL("created_at", "CREATED", "作成"), LAST
};
static const struct column project_columns[] = {
    COL("name", "NAME", "名前"), COL("is_default", "DEFAULT", "既定"),
    COL("created_at", "CREATED", "作成"), WIDE("tenant", "TENANT", "テナント"),
    WIDE("id", "ID", "ID"), LAST
};
static const struct column user_columns[] = {
    COL("name", "NAME", "名前"), COL("role", "ROLE", "役割"), COL("tenant", "TENANT", "テナント"),
    COL("revoked", "REVOKED", "失効"), COL("created_at", "CREATED", "作成"),
    WIDE("epoch", "EPOCH", "世代"), WIDE("id", "ID", "ID"), LAST
};
static const struct column network_columns[] = {
    ACROSS("tenant", "TENANT", "テナント"), COL("name", "NAME", "名前"),
    COL("cidr", "CIDR", "範囲"), COL("project", "PROJECT", "プロジェクト"),
    COL("addresses_used", "ADDRESSES", "使用数"), COL("created_at", "CREATED", "作成"),
    WIDE("vni", "VNI", "VNI"), WIDE("id", "ID", "ID"), LAST
};
static const struct column image_columns[] = {
    COL("name", "NAME", "名前"), COL("nodes", "NODES", "ノード数"), COL("created_at", "CREATED", "作成"),
    WIDE("kernel_sha256", "KERNEL", "カーネル"), WIDE("initramfs_sha256", "INITRAMFS", "initramfs"),
    WIDE("id", "ID", "ID"), LAST
};
static const struct column instance_columns[] = {
    ACROSS("tenant", "TENANT", "テナント"), COL("name", "NAME", "名前"),
    COL("state", "STATE", "状態"), COL("node", "NODE", "ノード"), COL("vcpus", "VCPUS", "vCPU"), SIZE("memory_bytes", "MEMORY", "メモリ"),
    COL("nics.0.address", "ADDRESS", "アドレス"), COL("reason", "REASON", "理由"),
    WIDE("project", "PROJECT", "プロジェクト"), WIDE("image", "IMAGE", "イメージ"),
    WIDE("desired", "DESIRED", "目標"), WIDE("attempts", "ATTEMPTS", "試行"),
    WIDE("generation", "GENERATION", "世代"), WIDE("id", "ID", "ID"), LAST
};
static const struct column operation_columns[] = {
    COL("id", "ID", "ID"), COL("kind", "KIND", "種類"), COL("state", "STATE", "状態"),
    COL("resource_name", "RESOURCE", "対象"), COL("error.code", "ERROR", "エラー"),
    COL("created_at", "CREATED", "作成"), WIDE("progress", "PROGRESS", "進捗"),
    WIDE("initiator", "INITIATOR", "依頼者"), WIDE("done_at", "DONE", "完了"), LAST
};
static const struct column event_columns[] = {
    COL("index", "INDEX", "番号"), TIME("at", "AT", "時刻"), COL("name", "EVENT", "事象"),
    COL("tenant", "TENANT", "テナント"), COL("subject_name", "NAME", "名前"),
    COL("subject", "SUBJECT", "対象"), COL("reason", "REASON", "理由"), LAST
};
static const struct column leaf_columns[] = {
    COL("seq", "SEQ", "番号"), COL("wall_at", "AT", "時刻"),
    COL("actor_name", "WHO", "主体名"), COL("actor", "ACTOR", "主体"),
    COL("operation", "OPERATION", "操作"), COL("resource_name", "WHAT", "対象名"),
    COL("resource", "RESOURCE", "対象"),
    COL("outcome", "OUTCOME", "結果"), COL("reason", "REASON", "理由"),
    WIDE("tenant", "TENANT", "テナント"), WIDE("tenant_seq", "TENANT SEQ", "テナント番号"),
    WIDE("index", "INDEX", "ログ番号"), LAST
};
/* Offline: nobody knows what things are called. */
static const struct column leaf_shown_columns[] = {
    COL("seq", "SEQ", "番号"), COL("wall_at", "AT", "時刻"), COL("actor", "ACTOR", "主体"),
    COL("operation", "OPERATION", "操作"), COL("resource", "RESOURCE", "対象"),
    COL("outcome", "OUTCOME", "結果"), COL("reason", "REASON", "理由"),
    WIDE("tenant", "TENANT", "テナント"), WIDE("tenant_seq", "TENANT SEQ", "テナント番号"),
    WIDE("index", "INDEX", "ログ番号"), LAST
};
static const struct column access_columns[] = {
    COL("kind", "KIND", "種類"), COL("principal.name", "PRINCIPAL", "主体"),
    COL("principal.role", "ROLE", "役割"),
    COL("principal.tenant", "TENANT", "テナント"), COL("principal.revoked", "REVOKED", "失効"),
    COUNT("may", "MAY", "操作数"), WIDE("may", "OPERATIONS", "操作"), LAST
};
static const struct column alarm_columns[] = {
    COL("name", "ALARM", "警報"), COL("subject_name", "NAME", "名前"),
    COL("subject", "SUBJECT", "対象"), COL("reason", "REASON", "理由"),
    COL("since_at", "SINCE", "発生"), COL("cleared_at", "CLEARED", "解消"), WIDE("id", "ID", "ID"),
    LAST
};
static const struct column context_columns[] = {
    COL("name", "NAME", "名前"), COL("current", "CURRENT", "既定"),
    COL("endpoints", "ENDPOINTS", "宛先"), COL("tenant", "TENANT", "テナント"),
    WIDE("ca", "CA", "CA"), WIDE("cert", "CERT", "証明書"), WIDE("key", "KEY", "鍵"), LAST
};

#define T "/v1/tenants/{tenant}"
#define READ 0, ACTION_REST, "GET"
#define LIST TRAIT_LIST, ACTION_REST, "GET"
#define POST TRAIT_WRITE, ACTION_REST, "POST"
#define PUT TRAIT_WRITE, ACTION_REST, "PUT"
#define DELETE TRAIT_WRITE | TRAIT_DESTRUCTIVE, ACTION_REST, "DELETE"
#define DESTROY TRAIT_WRITE | TRAIT_DESTRUCTIVE, ACTION_REST, "POST"

const struct verb verbs[] = {
    { "cluster", "status", READ, "/v1/cluster", "", list_flags, NULL,
      "quorum, lag, fitness and alarms of the cell", "セルの合意・遅れ・健全性・警報" },
    { "cluster", "init", TRAIT_OFFLINE, ACTION_CLUSTER_INIT, NULL, NULL, "", cluster_init_flags,
      NULL, "make a new cell with this machine as its first controller",
      "この機械を最初のコントローラとして新しいセルを作る" },
    { "controller", "ls", LIST, "/v1/controllers", "", list_flags, controller_columns,
      "list controllers", "コントローラの一覧" },
    { "controller", "show", READ, "/v1/controllers/{name}", "NAME", list_flags,
      controller_columns, "show a controller", "コントローラの詳細" },
    { "controller", "token", TRAIT_WRITE, ACTION_TOKEN, NULL, "/v1/tokens", "NAME",
      machine_token_flags, NULL, "make a one-time token for a new controller, shown once",
      "新しいコントローラ用の一度きりのトークンを作る" },
    { "controller", "join", TRAIT_OFFLINE, ACTION_JOIN, NULL, "/v1/join", "",
      controller_join_flags, NULL, "make this machine a controller of the token's cell",
      "この機械をトークンのセルのコントローラにする" },
    { "controller", "remove", DELETE, "/v1/controllers/{name}", "NAME", no_flags,
      operation_columns, "take a controller out of the cell", "コントローラをセルから外す" },
    { "node", "ls", LIST, "/v1/nodes", "", list_flags, node_columns,
      "list nodes", "ノードの一覧" },
    { "node", "show", READ, "/v1/nodes/{name}", "NAME", list_flags, node_columns,
      "show a node", "ノードの詳細" },
    { "node", "token", TRAIT_WRITE, ACTION_TOKEN, NULL, "/v1/tokens", "NAME",
      machine_token_flags, NULL, "make a one-time token for a new node, shown once",
      "新しいノード用の一度きりのトークンを作る" },
    { "node", "join", TRAIT_OFFLINE, ACTION_JOIN, NULL, "/v1/join", "", node_join_flags, NULL,
      "make this machine a node of the token's cell", "この機械をトークンのセルのノードにする" },
    { "tenant", "create", POST, "/v1/tenants", "NAME", tenant_create_flags, operation_columns,
      "make a tenant", "テナントを作る" },
    { "tenant", "ls", LIST, "/v1/tenants", "", list_flags, tenant_columns,
      "list tenants", "テナントの一覧" },
    { "tenant", "show", READ, T, "TENANT", list_flags, tenant_columns,
      "show a tenant", "テナントの詳細" },
    { "tenant", "delete", DELETE, T, "TENANT", tenant_delete_flags, operation_columns,
      "delete an empty tenant", "空のテナントを消す" },
    { "project", "create", POST, T "/projects", "NAME", project_create_flags, operation_columns,
      "make a project", "プロジェクトを作る" },
    { "project", "ls", LIST, T "/projects", "", list_flags, project_columns,
      "list projects", "プロジェクトの一覧" },
    { "project", "delete", DELETE, T "/projects/{name}", "NAME", no_flags, operation_columns,
      "delete an empty project", "空のプロジェクトを消す" },
    { "user", "create", POST, "/v1/users", "NAME", user_create_flags, operation_columns,
      "make a user", "利用者を作る" },
    { "user", "ls", LIST, "/v1/users", "", list_flags, user_columns,
      "list users", "利用者の一覧" },
    { "user", "show", READ, "/v1/users/{name}", "NAME", list_flags, user_columns,
      "show a user", "利用者の詳細" },
    { "user", "revoke", DESTROY, "/v1/users/{name}:revoke", "NAME", no_flags, operation_columns,
      "revoke a user and every certificate of it", "利用者とその証明書を失効させる" },
    { "user", "token", TRAIT_WRITE, ACTION_TOKEN, NULL, "/v1/tokens", "NAME", user_token_flags,
      NULL, "make a one-time enrolment token, shown once", "一度きりの登録トークンを作る" },
    { "user", "enroll", TRAIT_OFFLINE, ACTION_ENROLL, NULL, "/v1/join", "", enroll_flags, NULL,
      "make a key here and get its certificate with a token",
      "ここで鍵を作り、トークンで証明書を得る" },
    { "user", "renew", TRAIT_WRITE, ACTION_RENEW, NULL, "/v1/renew", "", renew_flags, NULL,
      "get the next certificate for the one in use, before it ends",
      "使用中の証明書を期限前に更新する" },
    { "quota", "show", READ, T "[/projects/{project}]/quota", "[TENANT]", quota_flags, NULL,
      "floor, cap, used and held of an account", "口座の下限・上限・使用・保留" },
    { "quota", "set", PUT, T "[/projects/{project}]/quota", "[TENANT]", quota_set_flags,
      operation_columns, "set floor and cap of an account", "口座の下限と上限を決める" },
    { "network", "create", POST, T "/networks", "NAME", network_create_flags,
      operation_columns, "make a network", "ネットワークを作る" },
    { "network", "ls", LIST, "/v1[/tenants/{tenant}]/networks", "", project_flags, network_columns,
      "list networks", "ネットワークの一覧" },
    { "network", "show", READ, T "/networks/{name}", "NAME", project_flags, network_columns,
      "show a network", "ネットワークの詳細" },
    { "network", "delete", DELETE, T "/networks/{name}", "NAME", project_change_flags,
      operation_columns, "delete an unused network", "使われていないネットワークを消す" },
    { "image", "create", POST, "/v1/images", "NAME", image_create_flags, operation_columns,
      "name an image by its digests", "イメージをダイジェストで登録する" },
    { "image", "ls", LIST, "/v1/images", "", list_flags, image_columns,
      "list images", "イメージの一覧" },
    { "image", "show", READ, "/v1/images/{name}", "NAME", list_flags, image_columns,
      "show an image", "イメージの詳細" },
    { "image", "delete", DELETE, "/v1/images/{name}", "NAME", no_flags, operation_columns,
      "forget an unused image", "使われていないイメージの登録を消す" },
    { "instance", "create", POST, T "/instances", "NAME", instance_create_flags,
      operation_columns, "make an instance", "インスタンスを作る" },
    { "instance", "start", POST, T "/instances/{name}:start", "NAME", project_change_flags,
      operation_columns, "start an instance", "インスタンスを起動する" },
    { "instance", "stop", DESTROY, T "/instances/{name}:stop", "NAME", instance_stop_flags,
      operation_columns, "stop an instance", "インスタンスを止める" },
    { "instance", "reboot", POST, T "/instances/{name}:reboot", "NAME", project_change_flags,
      operation_columns, "reboot an instance", "インスタンスを再起動する" },
    { "instance", "delete", DELETE, T "/instances/{name}", "NAME", project_change_flags,
      operation_columns, "delete an instance", "インスタンスを消す" },
    { "instance", "ls", LIST, "/v1[/tenants/{tenant}]/instances", "", instance_ls_flags, instance_columns,
      "list instances", "インスタンスの一覧" },
    { "instance", "show", READ, T "/instances/{name}", "NAME", project_flags, instance_columns,
      "show an instance", "インスタンスの詳細" },
    { "instance", "console", 0, ACTION_CONSOLE, NULL, T "/instances/{name}/console", "NAME",
      console_flags, NULL, "print the console log", "コンソールの記録を出す" },
    { "op", "ls", LIST, "/v1/operations", "", no_flags, operation_columns,
      "list operations", "操作の一覧" },
    { "op", "show", READ, "/v1/operations/{id}", "ID", no_flags, operation_columns,
      "show an operation", "操作の詳細" },
    { "op", "wait", 0, ACTION_OP_WAIT, NULL, "/v1/operations/{id}", "ID", no_flags,
      operation_columns, "wait for an operation", "操作の完了を待つ" },
    { "op", "cancel", POST, "/v1/operations/{id}:cancel", "ID", no_flags, operation_columns,
      "ask an operation to stop", "操作を取り消す" },
    { "event", "ls", TRAIT_LIST, ACTION_EVENT_LS, NULL, "/v1/events", "", event_ls_flags, event_columns,
      "list events", "事象の一覧" },
    { "event", "watch", 0, ACTION_EVENT_WATCH, NULL, "/v1/events", "", event_watch_flags,
      event_columns, "follow events, one JSON line each", "事象を追う(1行1JSON)" },
    { "audit", "ls", TRAIT_LIST, ACTION_AUDIT_LS, NULL, "/v1/audit/leaves", "", audit_ls_flags,
      leaf_columns, "what was done, by whom, when", "誰がいつ何をしたか" },
    { "audit", "access", LIST, "/v1/audit/access", "", no_flags, access_columns,
      "every principal and what it can do", "すべての主体と可能な操作" },
    { "audit", "export", 0, ACTION_AUDIT_EXPORT, NULL, "/v1/audit/leaves", "FILE", no_flags,
      NULL, "write the log so that it verifies without the cell",
      "セルなしで検証できる形で記録を書き出す" },
    { "audit", "verify", TRAIT_OFFLINE, ACTION_AUDIT_VERIFY, NULL, NULL, "FILE", no_flags, NULL,
      "verify an export against --key, offline", "書き出しを --key の公開鍵で検証する" },
    { "audit", "show", TRAIT_OFFLINE | TRAIT_LIST, ACTION_AUDIT_SHOW, NULL, NULL, "FILE", no_flags,
      leaf_shown_columns, "the signed leaves of an export that verifies against --key, offline",
      "--key で検証できた書き出しの署名済み記録" },
    { "audit", "checkpoint", READ, "/v1/audit/checkpoint", "", no_flags, NULL,
      "the newest signed checkpoint", "最新の署名付きチェックポイント" },
    { "alarm", "ls", LIST, "/v1/alarms", "", list_flags, alarm_columns,
      "list alarms", "警報の一覧" },
    { "alarm", "watch", 0, ACTION_ALARM_WATCH, NULL, "/v1/alarms", "", alarm_watch_flags,
      alarm_columns, "hand each alarm to a program or a webhook",
      "警報をプログラムやWebhookに渡す" },
    { "explain", "capacity", READ, "/v1/explain/capacity", "", explain_capacity_flags, NULL,
      "what is promised, used and free", "約束・使用・空きの説明" },
    { "explain", "node", READ, "/v1/explain/nodes/{name}", "NAME", no_flags, NULL,
      "why a node is as it is", "ノードの状態の理由" },
    { "explain", "instance", READ, "/v1/explain" "/tenants/{tenant}/instances/{name}", "NAME",
      project_only_flags, NULL, "why an instance is where it is", "インスタンスの配置の理由" },
    { "context", "ls", TRAIT_OFFLINE | TRAIT_LIST, ACTION_CONTEXT_LS, NULL, NULL, "", no_flags,
      context_columns, "list contexts", "コンテキストの一覧" },
    { "context", "use", TRAIT_OFFLINE, ACTION_CONTEXT_USE, NULL, NULL, "NAME", no_flags, NULL,
      "choose the current context", "既定のコンテキストを選ぶ" },
    { "context", "add", TRAIT_OFFLINE, ACTION_CONTEXT_ADD, NULL, NULL, "NAME",
      context_add_flags, NULL, "write a context from --endpoints --ca --cert --key --tenant",
      "指定の宛先と証明書でコンテキストを書く" },
    { "api", "", 0, ACTION_API, NULL, NULL, "METHOD PATH", api_flags, NULL,
      "send any request as it is", "任意の要求をそのまま送る" },
    { "version", "", TRAIT_OFFLINE, ACTION_VERSION, NULL, NULL, "", no_flags, NULL,
      "print the version", "版を表示" },
    { "completion", "", TRAIT_OFFLINE, ACTION_COMPLETION, NULL, NULL, "SHELL", no_flags, NULL,
      "print completion for bash, zsh or fish", "bash・zsh・fish の補完を出す" },
    { "man", "", TRAIT_OFFLINE, ACTION_MAN, NULL, NULL, "", no_flags, NULL,
      "print the manual page", "マニュアルページを出す" },
    { "help", "", TRAIT_OFFLINE, ACTION_HELP, NULL, NULL, "[NOUN] [VERB]", no_flags,
      NULL, "print help", "使い方を表示" },
    { NULL, NULL, 0, ACTION_REST, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
/* clang-format on */

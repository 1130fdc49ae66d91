"""MariaDB's client library, as far as mariadb_client.py and the soak need it, by ctypes.

The Debian packages of the server bring it along; a call lets Python's other threads go on.
"""

import ctypes

LIBRARY = ctypes.CDLL("libmariadb.so.3")
POINTER, TEXT = ctypes.c_void_p, ctypes.c_char_p
ROW, LENGTHS = ctypes.POINTER(POINTER), ctypes.POINTER(ctypes.c_ulong)

# enum mysql_option
CONNECT_TIMEOUT, LOCAL_INFILE, READ_TIMEOUT, VERIFY_CERT = 0, 8, 11, 21
SSL_KEY, SSL_CERT, SSL_CA = 25, 26, 27
# enum enum_field_types
BLOB = 252
PATIENCE_S = 240


class Bind(ctypes.Structure):
    """MYSQL_BIND of ma_stmt.h."""

    _fields_ = [("length", LENGTHS), ("is_null", POINTER), ("buffer", POINTER), ("error", POINTER),
                ("u", POINTER), ("store_param_func", POINTER), ("fetch_result", POINTER),
                ("skip_result", POINTER), ("buffer_length", ctypes.c_ulong),
                ("offset", ctypes.c_ulong), ("length_value", ctypes.c_ulong),
                ("flags", ctypes.c_uint), ("pack_length", ctypes.c_uint),
                ("buffer_type", ctypes.c_int), ("error_value", ctypes.c_byte),
                ("is_null_value", ctypes.c_byte), ("long_data_used", ctypes.c_byte),
                ("is_unsigned", ctypes.c_byte)]


def declare(result, *arguments, names):
    for name in names.split():
        function = getattr(LIBRARY, "mysql_" + name)
        function.restype, function.argtypes = result, arguments


declare(POINTER, POINTER, names="init store_result stmt_init")
declare(ctypes.c_int, POINTER, ctypes.c_int, POINTER, names="options")
declare(POINTER, POINTER, TEXT, TEXT, TEXT, TEXT, ctypes.c_uint, TEXT, ctypes.c_ulong,
        names="real_connect")
declare(ctypes.c_int, POINTER, TEXT, ctypes.c_ulong, names="real_query stmt_prepare")
declare(ROW, POINTER, names="fetch_row")
declare(LENGTHS, POINTER, names="fetch_lengths")
declare(ctypes.c_uint, POINTER, names="errno num_fields field_count stmt_errno")
declare(TEXT, POINTER, names="error stmt_error get_ssl_cipher")
declare(ctypes.c_ulong, POINTER, names="thread_id")
declare(ctypes.c_ulonglong, POINTER, names="affected_rows")
declare(None, POINTER, names="close free_result")
declare(ctypes.c_int, POINTER, names="stmt_execute stmt_fetch stmt_close stmt_free_result")
declare(ctypes.c_byte, POINTER, ctypes.POINTER(Bind), names="stmt_bind_param stmt_bind_result")

LIBRARY.mysql_server_init(0, None, None)


class Error(Exception):
    def __init__(self, number, text):
        super().__init__(number, (text or b"").decode(errors="replace"))
        self.number = number


class Connection:
    """One connection, for one thread at a time."""

    def __init__(self, socket=None, port=0, database="", options=()):
        self.handle = LIBRARY.mysql_init(None)
        seconds = ctypes.c_uint(PATIENCE_S)
        for option in (CONNECT_TIMEOUT, READ_TIMEOUT):
            LIBRARY.mysql_options(self.handle, option, ctypes.byref(seconds))
        for option, value in options:
            LIBRARY.mysql_options(self.handle, option, value)
        if not LIBRARY.mysql_real_connect(self.handle, None if socket else b"127.0.0.1", b"root",
                                          b"", database.encode(), int(port),
                                          socket and socket.encode(), 0):
            error = self.error()
            self.close()
            raise error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def error(self):
        return Error(LIBRARY.mysql_errno(self.handle), LIBRARY.mysql_error(self.handle))

    def close(self):
        if self.handle:
            LIBRARY.mysql_close(self.handle)
            self.handle = None

    def identifier(self):
        return LIBRARY.mysql_thread_id(self.handle)

    def changed(self):
        return LIBRARY.mysql_affected_rows(self.handle)

    def cipher(self):
        return LIBRARY.mysql_get_ssl_cipher(self.handle)

    def query(self, sql):
        """The rows, as tuples of bytes; none for a statement without a result."""
        sql = sql.encode() if isinstance(sql, str) else sql
        if LIBRARY.mysql_real_query(self.handle, sql, len(sql)) != 0:
            raise self.error()
        result = LIBRARY.mysql_store_result(self.handle)
        if not result:
            if LIBRARY.mysql_field_count(self.handle) != 0:
                raise self.error()
            return []
        rows, width = [], LIBRARY.mysql_num_fields(result)
        while True:
            row = LIBRARY.mysql_fetch_row(result)
            if not row:
                break
            lengths = LIBRARY.mysql_fetch_lengths(result)
            rows.append(tuple(row[i] and ctypes.string_at(row[i], lengths[i])
                              for i in range(width)))
        # a connection that breaks within a result ends it like its last row does
        broken = LIBRARY.mysql_errno(self.handle)
        LIBRARY.mysql_free_result(result)
        if broken:
            raise self.error()
        return rows

    def value(self, sql):
        return self.query(sql)[0][0]

    def number(self, sql):
        return int(self.value(sql))


class Statement:
    """A prepared statement with one blob as its parameter and one as its result."""

    def __init__(self, connection, sql, most_bytes):
        self.handle = LIBRARY.mysql_stmt_init(connection.handle)
        self.argument, self.result = Bind(), Bind()
        self.room = ctypes.create_string_buffer(most_bytes)
        self.length = ctypes.c_ulong()
        if LIBRARY.mysql_stmt_prepare(self.handle, sql.encode(), len(sql)) != 0:
            raise self.error()
        self.result.buffer_type = BLOB
        self.result.buffer = ctypes.addressof(self.room)
        self.result.buffer_length = most_bytes
        self.result.length = ctypes.pointer(self.length)

    def error(self):
        return Error(LIBRARY.mysql_stmt_errno(self.handle), LIBRARY.mysql_stmt_error(self.handle))

    def execute(self, argument):
        """The blob of the one row."""
        sent, length = ctypes.create_string_buffer(argument), ctypes.c_ulong(len(argument))
        self.argument.buffer_type = BLOB
        self.argument.buffer = ctypes.addressof(sent)
        self.argument.buffer_length = len(argument)
        self.argument.length = ctypes.pointer(length)
        if (LIBRARY.mysql_stmt_bind_param(self.handle, self.argument) != 0 or
                LIBRARY.mysql_stmt_execute(self.handle) != 0 or
                LIBRARY.mysql_stmt_bind_result(self.handle, self.result) != 0 or
                LIBRARY.mysql_stmt_fetch(self.handle) != 0):
            raise self.error()
        LIBRARY.mysql_stmt_free_result(self.handle)
        return self.room.raw[:self.length.value]

    def close(self):
        LIBRARY.mysql_stmt_close(self.handle)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Added to liblua5.4.a: runs a script that is a parameter.  Lua raises errors by longjmp(), calls
 * the mathematical library, and writes to the process's stdout.
 */
#include <permod/module.h>

#include <lua5.4/lauxlib.h>
#include <lua5.4/lua.h>
#include <lua5.4/lualib.h>
#include <stdio.h>

static char *script;
module_param(script, charp, 0444);

static DEFINE_PER_CPU(unsigned long, good_scripts);
static DEFINE_PER_CPU(unsigned long, caught_in_c);

/* A C function that Lua calls, and that raises an error through it. */
static int refuse(lua_State *lua)
{
	return luaL_error(lua, "refused: %d", (int)luaL_checkinteger(lua, 1));
}

void run_script(void)
{
	lua_State *lua = luaL_newstate();

	luaL_openlibs(lua);
	lua_register(lua, "refuse", refuse);
	if (luaL_dostring(lua, script) == LUA_OK)
		this_cpu_inc(good_scripts);
	else
		fprintf(stderr, "%s\n", lua_tostring(lua, -1));

	/* The same from C: the error comes back as a value. */
	lua_getglobal(lua, "refuse");
	lua_pushinteger(lua, 7);
	if (lua_pcall(lua, 1, 0, 0) == LUA_ERRRUN)
		this_cpu_inc(caught_in_c);
	lua_close(lua);
}

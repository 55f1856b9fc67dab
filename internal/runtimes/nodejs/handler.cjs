// Finds the function that a handler string names.
'use strict';

const fs = require('fs');
const path = require('path');
const { fault, isError } = require('./errors.cjs');

// load resolves to the handler function.
async function load(taskRoot, handler) {
  if (handler.includes('..')) {
    throw fault('Runtime.MalformedHandlerName',
      `'${handler}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const base = path.basename(handler);
  const folder = handler.slice(0, handler.length - base.length);
  const parts = /^([^.]*)\.(.*)$/.exec(base);
  if (!parts) throw fault('Runtime.MalformedHandlerName', 'Bad handler');
  const loaded = await loadModule(taskRoot, folder, parts[1]);
  let found = loaded;
  for (const name of parts[2].split('.')) found = found === undefined || found === null ? undefined : found[name];
  // import() of a CommonJS module has its exports under default.
  if (found === undefined && loaded && loaded.default) {
    found = loaded.default;
    for (const name of parts[2].split('.')) found = found === undefined || found === null ? undefined : found[name];
  }
  if (found === undefined || found === null) {
    throw fault('Runtime.HandlerNotFound', `${handler} is undefined or not exported`);
  }
  if (typeof found !== 'function') throw fault('Runtime.HandlerNotFound', `${handler} is not a function`);
  return found;
}

async function loadModule(taskRoot, folder, name) {
  try {
    const file = path.resolve(taskRoot, folder, name);
    if (isFile(file)) return require(file);
    if (isFile(file + '.js')) {
      return isModuleType(path.dirname(file)) ? await importFile(file + '.js') : await requireOrImport(file + '.js');
    }
    if (isFile(file + '.mjs')) return await importFile(file + '.mjs');
    if (isFile(file + '.cjs')) return require(file + '.cjs');
    // A folder with an index, or a package: as Node.js finds it.
    return require(require.resolve(name, { paths: [taskRoot, path.resolve(taskRoot, folder)] }));
  } catch (error) {
    throw asFault(error);
  }
}

function asFault(error) {
  if (!isError(error)) return error;
  if (error instanceof SyntaxError) return fault('Runtime.UserCodeSyntaxError', error.toString(), error.stack);
  if (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND') {
    return fault('Runtime.ImportModuleError', error.toString());
  }
  return error;
}

function isFile(file) {
  try {
    return fs.statSync(file).isFile();
  } catch (e) {
    return false;
  }
}

// isModuleType looks for "type": "module" in the nearest package.json.
function isModuleType(folder) {
  for (;;) {
    try {
      return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')).type === 'module';
    } catch (e) {
      if (e instanceof SyntaxError) return false;
    }
    const up = path.dirname(folder);
    if (up === folder || path.basename(folder) === 'node_modules') return false;
    folder = up;
  }
}

async function requireOrImport(file) {
  try {
    return require(file);
  } catch (error) {
    // Interpreters that load ES modules with require refuse those with
    // top-level await.
    if (error && error.code === 'ERR_REQUIRE_ASYNC_MODULE') return importFile(file);
    throw error;
  }
}

async function importFile(file) {
  findPackagesByNodePath(file);
  return import(require('url').pathToFileURL(file).href);
}

// What an installation of Node.js itself has there; no function needs it.
const INSTALLED = new Set(['npm', 'corepack']);

function hasPackages(folder) {
  try {
    return fs.readdirSync(folder).some((name) => !name.startsWith('.') && !INSTALLED.has(name));
  } catch (e) {
    return false;
  }
}

// Lambda lets ES modules find packages by NODE_PATH (layers, the SDK), which
// Node.js itself does for CommonJS only. Where the interpreter has no
// registerHooks, the hook is a thread, which takes longer to start than Node.js
// itself. It must be there before the first import, so whether it can be of
// use is found out from the code.
function findPackagesByNodePath(file) {
  const parents = (process.env.NODE_PATH || '').split(path.delimiter)
    .filter((folder) => path.basename(folder) === 'node_modules' && hasPackages(folder))
    .map((folder) => require('url').pathToFileURL(path.join(folder, '..', 'lamb.mjs')).href);
  const mod = require('module');
  if (parents.length === 0) return;
  if (typeof mod.registerHooks === 'function') {
    mod.registerHooks({
      resolve(specifier, context, next) {
        try {
          return next(specifier, context);
        } catch (error) {
          if (error.code !== 'ERR_MODULE_NOT_FOUND' || /^(\.|\/|[a-z]+:)/.test(specifier)) throw error;
          for (const parentURL of parents) {
            try {
              return next(specifier, Object.assign({}, context, { parentURL }));
            } catch (e) { /* the next folder may have it */ }
          }
          throw error;
        }
      },
    });
  } else if (typeof mod.register === 'function' && require('./imports.cjs').mayNamePackages(file)) {
    mod.register(require('url').pathToFileURL(path.join(__dirname, 'nodepath.mjs')), { data: parents });
  }
}

module.exports = { load };

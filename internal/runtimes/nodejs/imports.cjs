// Tells whether ES modules can name a package at all. It reads them as text
// and prefers doubt: what it does not understand, it takes for such a name.
'use strict';

const fs = require('fs');
const { builtinModules } = require('module');
const { fileURLToPath, pathToFileURL } = require('url');

// Beyond these, reading costs more than the hook that it may save.
const MAX_FILES = 64;
const MAX_CHARS = 1 << 20;

// Built-in modules by which code can load other code unseen.
const LOADERS = new Set(['module', 'vm']);

// The ways to a module that no literal names: require and what makes it,
// import() of an expression, import.meta.resolve, and a comment where the
// name should be.
const UNSEEN = new RegExp([
  /\b(?:require|createRequire|eval)\b/,
  /\bfrom\s*\//,
  /\bimport\s*\//,
  /\bimport\s*\((?!\s*(?:'[^']*'|"[^"]*")\s*[),])/,
  /\bimport\s*\.(?!meta\.(?:url|dirname|filename)\b)/,
].map((way) => way.source).join('|'));

const NAMED = /\b(?:from\s*|import\s*\(?\s*)(?:'([^']*)'|"([^"]*)")/g;

// mayNamePackages reads a module and those that it names by relative paths.
function mayNamePackages(entry) {
  const files = new Set([entry]);
  let chars = 0;
  try {
    for (const file of files) { // grows on the way
      const real = fs.realpathSync(file);
      const text = fs.readFileSync(real, 'utf8');
      chars += text.length;
      if (files.size > MAX_FILES || chars > MAX_CHARS || UNSEEN.test(text)) return true;
      for (const match of text.matchAll(NAMED)) {
        const name = match[1] === undefined ? match[2] : match[1];
        if (/^\.\.?\/[^\\\n]*\.[cm]?js$/.test(name)) files.add(fileURLToPath(new URL(name, pathToFileURL(real))));
        else if (!isHarmless(name)) return true;
      }
    }
    return false;
  } catch (error) { // a file that is not there, say: the import will tell
    return true;
  }
}

function isHarmless(name) {
  const bare = name.startsWith('node:') ? name.slice(5) : name;
  return (builtinModules.includes(bare) && !LOADERS.has(bare)) || /^\.\.?\/[^\\\n]*\.json$/.test(name);
}

module.exports = { mayNamePackages };

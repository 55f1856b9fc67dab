// A resolve hook that lets ES modules find packages by NODE_PATH, for
// interpreters that have module.register and not module.registerHooks.
let parents = [];

export function initialize(folders) {
  parents = folders;
}

export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND' || /^(\.|\/|[a-z]+:)/.test(specifier)) throw error;
    for (const parentURL of parents) {
      try {
        return await next(specifier, { ...context, parentURL });
      } catch {
        // the next folder may have it
      }
    }
    throw error;
  }
}
